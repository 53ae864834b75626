#!/bin/sh
# Configures the OpenSSL that is built in, in place of perl alone (OPENSSL_SRC_PERL): what TLS to Kafka and Postgres has no
# use for is left out, which spares a quarter of its files. The ciphers that matter are written in assembler, so that the
# compiler's optimisation costs more time than it wins.
#
# Kept, since keys and certificates of today's servers need it: RSA, DSA, EC, X25519, DH, AES, ChaCha20, SHA, DES, scrypt, PSK,
# ML-KEM, TLS 1.0 to 1.3.
exec perl "$@" -O0 no-docs no-apps no-engine no-dtls no-quic no-cms no-cmp no-ct no-ocsp no-rfc3779 no-srp no-ts \
    no-ssl-trace no-argon2 no-aria no-bf no-blake2 no-cast no-ec2m no-gost no-lms no-md4 no-mdc2 no-ml-dsa no-rc2 no-rc4 \
    no-rmd160 no-siphash no-siv no-slh-dsa no-sm2 no-sm3 no-sm4 no-whirlpool
