//! An authority and a server's certificate, made for a test.

use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};

/// Begins a certificate for `name` that is good for a day.
fn certificate(name: &str, serial: u32, key: &PKey<Private>, issuer: &X509Name) -> X509Builder {
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&BigNum::from_u32(serial).unwrap().to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(&named(name)).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder
}

fn named(name: &str) -> X509Name {
    let mut builder = X509NameBuilder::new().unwrap();
    builder.append_entry_by_text("CN", name).unwrap();
    builder.build()
}

/// Writes an authority's certificate, and one of a server on 127.0.0.1 with its key; returns where they are.
pub fn certificates(folder: &Path) -> (PathBuf, PathBuf) {
    let key = || PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    let (authority_key, server_key) = (key(), key());
    let issuer = named("test authority");
    let mut authority = certificate("test authority", 1, &authority_key, &issuer);
    authority.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    authority.sign(&authority_key, MessageDigest::sha256()).unwrap();
    let authority = authority.build();
    let mut server = certificate("server", 2, &server_key, &issuer);
    let names =
        SubjectAlternativeName::new().ip("127.0.0.1").build(&server.x509v3_context(Some(&authority), None));
    server.append_extension(names.unwrap()).unwrap();
    server.sign(&authority_key, MessageDigest::sha256()).unwrap();
    let (ca, store) = (folder.join("ca.pem"), folder.join("server.pem"));
    std::fs::write(&ca, authority.to_pem().unwrap()).unwrap();
    let mut both = server_key.private_key_to_pem_pkcs8().unwrap();
    both.extend(server.build().to_pem().unwrap());
    std::fs::write(&store, both).unwrap();
    (ca, store)
}
