//! The files of `assets/`, as `build.rs` left them: a table sorted by path, and the page.

use std::borrow::Cow;
use std::io::Read as _;

use flate2::read::GzDecoder;

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// An embedded file.
#[derive(Debug)]
pub struct Asset {
    /// From `assets/`.
    pub path: &'static str,
    pub media_type: &'static str,
    /// Of its own content.
    pub hash: &'static str,
    /// Bytes before compression.
    pub size: usize,
    /// Whether `bytes` are compressed; nothing else is kept then.
    pub gzip: bool,
    pub bytes: &'static [u8],
}

impl Asset {
    /// Returns the content as it was before compression. Every browser takes gzip, so that this is for the others.
    pub fn content(&self) -> Cow<'static, [u8]> {
        if !self.gzip {
            return Cow::Borrowed(self.bytes);
        }
        let mut content = Vec::with_capacity(self.size);
        GzDecoder::new(self.bytes).read_to_end(&mut content).expect("the build compressed it");
        Cow::Owned(content)
    }
}

/// Returns the file at `path`.
pub fn find(path: &str) -> Option<&'static Asset> {
    let at = ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok()?;
    Some(&ASSETS[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_every_file_is_found() {
        assert!(ASSETS.windows(2).all(|pair| pair[0].path < pair[1].path));
        for asset in ASSETS {
            assert_eq!(find(asset.path).map(|found| found.hash), Some(asset.hash));
            assert_eq!(asset.content().len(), asset.size, "{}", asset.path);
        }
        for path in ["", "index.html", "app/html.js", "style/base.css", "../Cargo.toml", "app", "app/"] {
            assert!(find(path).is_none(), "{path:?}");
        }
    }
}
