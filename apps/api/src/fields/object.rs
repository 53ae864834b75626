//! Splits a JSON object into its known fields, each as raw text.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::error::Category;
use serde_json::value::RawValue;
use souk_http::{Code, FaultCode, FieldError, Problem};

use super::value::{Fault, Parsed};

/// Most fields that any object of ours has.
const MAX_KNOWN: usize = 16;

/// Unknown or repeated fields of an object that are named; a body of nothing else has a hundred thousand.
const MAX_NAMED: usize = 20;

/// The fields of an object; takes note of faults.
pub(super) struct Object<'a, 'f> {
    known: &'static [&'static str],
    values: [Option<&'a RawValue>; MAX_KNOWN],
    prefix: String,
    faults: &'f mut Vec<FieldError>,
}

impl<'a, 'f> Object<'a, 'f> {
    /// Reads an object that may have the `known` fields; `prefix` is its own pointer. Unknown and repeated fields are
    /// noted as faults, and so is anything but an object, which is taken for one without fields.
    ///
    /// # Errors
    /// `malformed-request` when the text is not JSON.
    pub(super) fn parse(
        text: &'a str,
        known: &'static [&'static str],
        prefix: String,
        faults: &'f mut Vec<FieldError>,
    ) -> Result<Self, Problem> {
        let mut object = Self { known, values: [None; MAX_KNOWN], prefix, faults };
        let mut deserializer = serde_json::Deserializer::from_str(text);
        match Split(&mut object).deserialize(&mut deserializer).and_then(|()| deserializer.end()) {
            Ok(()) => {}
            Err(error) if error.classify() == Category::Data && is_json(text) => {
                object.faults.push(FieldError::new(
                    object.prefix.clone(),
                    FaultCode::Type,
                    "must be a JSON object",
                ));
            }
            Err(_) if text.trim().is_empty() => {
                return Err(Problem::new(Code::MalformedRequest, "the body is empty: send a JSON object"));
            }
            Err(error) => {
                // What is wrong with it as JSON, not what it would have to be if it were.
                let error = serde_json::from_str::<IgnoredAny>(text).err().unwrap_or(error);
                return Err(Problem::new(Code::MalformedRequest, format!("the body is not JSON: {error}")));
            }
        }
        Ok(object)
    }

    /// Reads a field that has to be there and not null. `None` after a fault.
    pub(super) fn required<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a RawValue) -> Parsed<T>,
    ) -> Option<T> {
        match self.raw(name) {
            Some(raw) => self.note(name, parse(raw)),
            None => self.note(name, Err(Fault::new(FaultCode::Required, "is required"))),
        }
    }

    /// Reads a field that may be absent but not null. `None` when absent or after a fault.
    pub(super) fn not_null<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a RawValue) -> Parsed<T>,
    ) -> Option<T> {
        self.raw(name).and_then(|raw| self.note(name, parse(raw)))
    }

    /// Reads a field that may be absent (`None`) or null (`Some(None)`). `None` after a fault, too.
    pub(super) fn nullable<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&'a RawValue) -> Parsed<T>,
    ) -> Option<Option<T>> {
        match self.raw(name) {
            Some(raw) if raw.get() == "null" => Some(None),
            Some(raw) => self.note(name, parse(raw)).map(Some),
            None => None,
        }
    }

    /// Returns a field as it stands.
    pub(super) fn raw(&self, name: &'static str) -> Option<&'a RawValue> {
        let index = self.known.iter().position(|known| *known == name);
        self.values[index.expect("fields are read by names from the list of known ones")]
    }

    /// Notes a fault of a field.
    pub(super) fn fault(&mut self, name: &str, fault: Fault) {
        let name = name.replace('~', "~0").replace('/', "~1");
        self.faults.push(FieldError::new(format!("{}/{name}", self.prefix), fault.code, fault.detail));
    }

    fn note<T>(&mut self, name: &'static str, parsed: Parsed<T>) -> Option<T> {
        parsed.map_err(|fault| self.fault(name, fault)).ok()
    }

    fn put(&mut self, name: &str, value: &'a RawValue, named: &mut usize) {
        let fault = match self.known.iter().position(|known| *known == name) {
            Some(index) => match self.values[index].replace(value) {
                None => return,
                Some(_) => Fault::new(FaultCode::Duplicate, "is given twice"),
            },
            None if SET_BY_SOUK.contains(&name) => {
                Fault::new(FaultCode::ReadOnly, "is set by the service: leave it out")
            }
            None => {
                Fault::new(FaultCode::Unknown, format!("is unknown; known are {}", self.known.join(", ")))
            }
        };
        *named += 1;
        if *named <= MAX_NAMED {
            self.fault(name, fault);
        }
    }
}

/// Tells whether a text is JSON to its end: that something begins as another value does not make it one.
fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Fields of a product that a create cannot choose.
const SET_BY_SOUK: [&str; 5] = ["id", "lowStock", "version", "createdAt", "updatedAt"];

/// Puts the fields of an object in their places.
struct Split<'o, 'a, 'f>(&'o mut Object<'a, 'f>);

impl<'a> DeserializeSeed<'a> for Split<'_, 'a, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'a>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'a> Visitor<'a> for Split<'_, 'a, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<(), M::Error> {
        let mut named = 0;
        while let Some(Name(name)) = map.next_key()? {
            let value = map.next_value()?;
            self.0.put(&name, value, &mut named);
        }
        if let Some(more @ 1..) = named.checked_sub(MAX_NAMED) {
            let detail = format!("has {more} more fields that are unknown or given twice");
            self.0.faults.push(FieldError::new(self.0.prefix.clone(), FaultCode::Unknown, detail));
        }
        Ok(())
    }
}

/// A field's name, borrowed unless it holds escapes.
struct Name<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E: serde::de::Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(NameVisitor)
    }
}
