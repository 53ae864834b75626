//! The page at `/docs`: Swagger UI, vendored and inside the binary, so that it works without a network.
//!
//! `vendor/` holds files of the package that `vendor/vendor.json` names, as they were published; `page/` is ours. To
//! take another version: put its files into `vendor/`, its version and digests into `vendor.json`, and look at the page
//! in a browser with its console open: nothing may be loaded from elsewhere or refused by [`POLICY`].

use std::io::Read as _;

use flate2::read::GzDecoder;

/// The page. It asks for `openapi.json` and its files relative to itself, so that a proxy may put it below a path.
pub const PAGE: &str = include_str!(concat!(env!("OUT_DIR"), "/index.html"));

/// The page's Content-Security-Policy: everything from its own origin, no inline code. Swagger UI's style sheet has its
/// icons inside.
pub const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                          connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the page.
#[derive(Debug)]
pub struct File {
    /// Its name, which changes with its content.
    pub name: &'static str,
    /// What it is.
    pub media_type: &'static str,
    /// Its content, compressed.
    pub gzip: &'static [u8],
}

static FILES: [File; 4] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

/// Returns every file.
pub fn files() -> &'static [File] {
    &FILES
}

/// Returns the file of that name.
pub fn file(name: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.name == name)
}

impl File {
    /// Returns the content as it is, for the few clients that do not take gzip.
    pub fn plain(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        GzDecoder::new(self.gzip).read_to_end(&mut plain).expect("it was compressed when souk was built");
        plain
    }
}
