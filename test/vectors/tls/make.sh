#!/usr/bin/env bash
# Makes the certificates of this folder: an authority of a home lab, what it issued (good, expired, not yet valid, for
# another name), what a company's firewall would show, a chain whose middle is left out, and one that has no more than the
# name and the key's mark of that authority. Good ones last until 2126.
# (localhost.crt is older than this and stays.)
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# sign FILE SUBJECT START END EXTENSIONS SIGNER…: a new key and its certificate, by what `openssl ca` is told of the signer.
sign() {
  local file=$1 subject=$2 start=$3 end=$4 extensions=$5
  shift 5
  : >"$work/index.txt"
  printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s\nnew_certs_dir=%s\nrand_serial=yes\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\norganizationName=optional\n[e]\n%s\n' \
    "$work/index.txt" "$work" "$extensions" >"$work/conf"
  openssl ecparam -genkey -name prime256v1 -noout -out "$file.key"
  openssl req -new -key "$file.key" -subj "$subject" -out "$work/csr"
  openssl ca -batch -notext -config "$work/conf" -extensions e "$@" -startdate "$start" -enddate "$end" -in "$work/csr" -out "$file.crt" 2>/dev/null
}

old=20250101000000Z
far=21260101000000Z
may_sign=$'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash'

# authority FILE SUBJECT: a self-signed one.
authority() {
  sign "$1" "$2" "$old" "$far" "$may_sign" -selfsign -keyfile "$1.key"
}

# issue FILE AUTHORITY SUBJECT START END EXTENSIONS: a certificate of the authority.
issue() {
  sign "$1" "$3" "$4" "$5" "$6" -cert "$2.crt" -keyfile "$2.key"
}

names='subjectAltName=DNS:localhost,DNS:hs.lab.internal,DNS:relay.lab.internal,IP:127.0.0.1,IP:::1'
authority home-ca '/O=Home Lab/CN=Home Lab Root'
authority firewall-ca '/O=Fortinet/CN=FG100E Firewall CA'
authority public-ca '/O=Internet Security Research Group/CN=Made-up Root'
issue server home-ca '/CN=hs.lab.internal' "$old" "$far" "$names"
issue expired home-ca '/CN=hs.lab.internal' "$old" 20250401000000Z "$names"
issue future home-ca '/CN=hs.lab.internal' 21250101000000Z "$far" "$names"
issue other-name home-ca '/CN=other.example' "$old" "$far" 'subjectAltName=DNS:other.example,DNS:www.other.example'
issue intercepted firewall-ca '/CN=hs.lab.internal' "$old" "$far" "$names"
issue middle public-ca "/O=Let's Encrypt/CN=R99" "$old" "$far" "$may_sign"
issue no-middle middle '/CN=hs.lab.internal' "$old" "$far" "$names"
mark=$(openssl x509 -in home-ca.crt -noout -ext subjectKeyIdentifier | tail -n 1 | tr -d ' ')
sign pretender '/O=Home Lab/CN=Home Lab Root' "$old" "$far" "${may_sign/=hash/=$mark}" -selfsign -keyfile pretender.key
rm -f ./*-ca.key middle.key pretender.key firewall-ca.crt public-ca.crt
