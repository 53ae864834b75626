//! Postgres snapshots (`pg_snapshot`): which transactions a reader saw.

use std::error::Error;
use std::fmt;
use std::str::FromStr;

use bytes::{BufMut as _, BytesMut};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A 64-bit transaction id (`xid8`); never wraps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Xid(pub u64);

impl ToSql for Xid {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_u64(self.0);
        Ok(IsNull::No)
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::XID8
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Xid {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self(u64::from_be_bytes(raw.try_into()?)))
    }

    fn accepts(ty: &Type) -> bool {
        *ty == Type::XID8
    }
}

/// What a reader saw: all that ended before `xmin`, nothing from `xmax` on, and between them all but `running`.
///
/// As text it is what Postgres writes: `xmin:xmax:running,running`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    xmin: Xid,
    xmax: Xid,
    /// In ascending order.
    running: Vec<Xid>,
}

/// A text or a message that is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a snapshot: {0:?}")]
pub struct SnapshotError(pub(crate) String);

impl Snapshot {
    /// Sees nothing: the position before everything.
    pub fn nothing() -> Self {
        Self { xmin: Xid(1), xmax: Xid(1), running: Vec::new() }
    }

    /// Takes a snapshot whose parts have to agree.
    fn new(xmin: Xid, xmax: Xid, running: Vec<Xid>) -> Option<Self> {
        let ascending = running.windows(2).all(|pair| pair[0] < pair[1]);
        let within = running.iter().all(|xid| (xmin..xmax).contains(xid));
        (xmin.0 > 0 && xmin <= xmax && ascending && within).then_some(Self { xmin, xmax, running })
    }

    /// Reads what `pg_snapshot_send` gives: the number of running transactions, `xmin`, `xmax`, and they.
    pub fn from_wire(raw: &[u8]) -> Result<Self, SnapshotError> {
        let error = || SnapshotError(format!("{} bytes", raw.len()));
        let (count, rest) = raw.split_first_chunk::<4>().ok_or_else(error)?;
        let count = u32::from_be_bytes(*count) as usize;
        let (words, odd) = rest.as_chunks::<8>();
        let mut words = words.iter().map(|word| Xid(u64::from_be_bytes(*word)));
        if !odd.is_empty() || words.len() != count + 2 {
            return Err(error());
        }
        let (xmin, xmax) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Self::new(xmin, xmax, words.collect()).ok_or_else(error)
    }

    /// Tells whether the snapshot sees what `xid` wrote, provided that it committed.
    pub fn sees(&self, xid: Xid) -> bool {
        xid < self.xmin || (xid < self.xmax && self.running.binary_search(&xid).is_err())
    }

    /// Returns the first transaction id that had not been given out.
    pub fn xmax(&self) -> Xid {
        self.xmax
    }

    /// Returns the transactions below `xmax` that were running, in ascending order.
    pub fn running(&self) -> &[Xid] {
        &self.running
    }

    /// Returns the snapshot that sees only what no running transaction could have preceded.
    ///
    /// For the planted bug `relay-xmin-horizon`; a correct reader has no use for it.
    pub(crate) fn horizon(&self) -> Self {
        Self { xmin: self.xmin, xmax: self.xmin, running: Vec::new() }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.xmin.0, self.xmax.0)?;
        for (n, xid) in self.running.iter().enumerate() {
            write!(f, "{}{}", if n == 0 { "" } else { "," }, xid.0)?;
        }
        Ok(())
    }
}

impl FromStr for Snapshot {
    type Err = SnapshotError;

    fn from_str(text: &str) -> Result<Self, SnapshotError> {
        let parse = || {
            let mut parts = text.splitn(3, ':');
            let mut xid = || parts.next()?.parse().ok().map(Xid);
            let (xmin, xmax) = (xid()?, xid()?);
            let running = match parts.next()? {
                "" => Vec::new(),
                list => list.split(',').map(|xid| xid.parse().ok().map(Xid)).collect::<Option<_>>()?,
            };
            Self::new(xmin, xmax, running)
        };
        parse().ok_or_else(|| SnapshotError(text.to_owned()))
    }
}

impl Serialize for Snapshot {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Snapshot {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Snapshot {
        text.parse().unwrap()
    }

    #[test]
    fn sees_what_postgres_says() {
        let seen = |xid| snapshot("728:732:728,730").sees(Xid(xid));
        assert_eq!(
            [727, 728, 729, 730, 731, 732, 733].map(seen),
            [true, false, true, false, true, false, false]
        );
        assert!(![0, 1, 2].map(|xid| Snapshot::nothing().sees(Xid(xid + 1))).contains(&true));
    }

    #[test]
    fn survives_text_and_wire() {
        for text in ["728:728:", "728:732:728", "728:732:728,730"] {
            assert_eq!(snapshot(text).to_string(), text);
        }
        let mut raw = 2_u32.to_be_bytes().to_vec();
        for word in [728_u64, 732, 728, 730] {
            raw.extend(word.to_be_bytes());
        }
        assert_eq!(Snapshot::from_wire(&raw).unwrap(), snapshot("728:732:728,730"));
    }

    #[test]
    fn refuses_what_is_none() {
        for text in ["", "1", "1:2", "2:1:", "0:1:", "5:9:4", "5:9:9", "5:9:7,6", "5:9:x", "5:9:6,"] {
            assert!(text.parse::<Snapshot>().is_err(), "{text}");
        }
        assert!(Snapshot::from_wire(&[0; 20]).is_err(), "zero is no transaction");
        assert!(Snapshot::from_wire(&[0, 0, 0, 9]).is_err());
    }
}
