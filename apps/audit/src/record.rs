//! Writes and reads the fields of records: numbers big-endian, so that records sort as their fields do.

use uuid::Uuid;

/// A digest: half a SHA-256, far beyond chance.
pub(crate) type Digest = [u8; 16];

/// Appends fields to a record.
pub(crate) trait Put {
    fn put(&mut self, bytes: &[u8]);

    fn put_u8(&mut self, value: u8) {
        self.put(&[value]);
    }

    fn put_u32(&mut self, value: u32) {
        self.put(&value.to_be_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.put(&value.to_be_bytes());
    }

    /// In the order of numbers, those below zero first.
    fn put_i64(&mut self, value: i64) {
        self.put_u64(value.cast_unsigned() ^ (1 << 63));
    }

    fn put_i128(&mut self, value: i128) {
        self.put(&value.to_be_bytes());
    }

    fn put_uuid(&mut self, id: Uuid) {
        self.put(id.as_bytes());
    }

    /// Text that ends in a byte that no text has, so that none is the beginning of another.
    fn put_text(&mut self, text: &str) {
        self.put(text.as_bytes());
        self.put(&[0xff]);
    }
}

impl Put for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Reads the fields of a record that was written here: one that is too short is a bug.
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    pub fn take<const N: usize>(&mut self) -> [u8; N] {
        let (head, rest) = self.0.split_first_chunk().expect("records are read as they were written");
        self.0 = rest;
        *head
    }

    pub fn u8(&mut self) -> u8 {
        self.take::<1>()[0]
    }

    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take())
    }

    pub fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take())
    }

    pub fn i64(&mut self) -> i64 {
        (self.u64() ^ (1 << 63)).cast_signed()
    }

    pub fn i128(&mut self) -> i128 {
        i128::from_be_bytes(self.take())
    }

    pub fn uuid(&mut self) -> Uuid {
        Uuid::from_bytes(self.take())
    }

    pub fn text(&mut self) -> &'a str {
        let end = self.0.iter().position(|byte| *byte == 0xff).expect("text has its end");
        let text = std::str::from_utf8(&self.0[..end]).expect("text is written as such");
        self.0 = &self.0[end + 1..];
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_and_sort_as_numbers() {
        let record = |number: i64, text: &str| {
            let mut record = Vec::new();
            record.put_i64(number);
            record.put_text(text);
            record.put_i128(i128::from(number));
            record
        };
        let numbers = [i64::MIN, -5, 0, 7, i64::MAX];
        let records: Vec<_> = numbers.iter().map(|number| record(*number, "é\0x")).collect();
        assert!(records.is_sorted());
        for (number, record) in numbers.iter().zip(&records) {
            let mut fields = Fields(record);
            assert_eq!((fields.i64(), fields.text(), fields.i128()), (*number, "é\0x", i128::from(*number)));
        }
    }
}
