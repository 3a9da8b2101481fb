#!/usr/bin/env bash
# Makes the certificates of this folder: an authority of a home lab, what it issued (good, expired, not yet valid, for
# another name), what a company's firewall would show, and a chain whose middle is left out. Good ones last until 2126.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# authority FILE SUBJECT: a self-signed one.
authority() {
  openssl ecparam -genkey -name prime256v1 -noout -out "$1.key"
  openssl req -x509 -new -key "$1.key" -subj "$2" -days 36500 -out "$1.crt" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
}

# issue FILE AUTHORITY SUBJECT START END EXTENSIONS: a certificate of the authority.
issue() {
  : >"$work/index.txt"
  printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nnew_certs_dir=%s\nrand_serial=yes\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\norganizationName=optional\n[e]\n%s\n' \
    "$work/index.txt" "$work" "$6" >"$work/conf"
  openssl ecparam -genkey -name prime256v1 -noout -out "$1.key"
  openssl req -new -key "$1.key" -subj "$3" -out "$work/csr"
  openssl ca -batch -notext -config "$work/conf" -extensions e -cert "$2.crt" -keyfile "$2.key" -startdate "$4" -enddate "$5" -in "$work/csr" -out "$1.crt" 2>/dev/null
}

names='subjectAltName=DNS:localhost,DNS:hs.lab.internal,DNS:relay.lab.internal,IP:127.0.0.1,IP:::1'
authority home-ca '/O=Home Lab/CN=Home Lab Root'
authority firewall-ca '/O=Fortinet/CN=FG100E Firewall CA'
authority public-ca '/O=Internet Security Research Group/CN=Made-up Root'
issue server home-ca '/CN=hs.lab.internal' 20250101000000Z 21260101000000Z "$names"
issue expired home-ca '/CN=hs.lab.internal' 20250101000000Z 20250401000000Z "$names"
issue future home-ca '/CN=hs.lab.internal' 21250101000000Z 21260101000000Z "$names"
issue other-name home-ca '/CN=other.example' 20250101000000Z 21260101000000Z 'subjectAltName=DNS:other.example,DNS:www.other.example'
issue intercepted firewall-ca '/CN=hs.lab.internal' 20250101000000Z 21260101000000Z "$names"
issue middle public-ca "/O=Let's Encrypt/CN=R99" 20250101000000Z 21260101000000Z $'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign'
issue no-middle middle '/CN=hs.lab.internal' 20250101000000Z 21260101000000Z "$names"
rm -f *-ca.key middle.key firewall-ca.crt public-ca.crt
