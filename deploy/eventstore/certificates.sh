#!/usr/bin/env bash
# certificates.sh DIR NAME=ADDRESS… makes an authority and a certificate for each node of EventStoreDB:
#
#	DIR/authority/ca.key             signs further certificates
#	DIR/trust/ca.crt                 what nodes and clients trust
#	DIR/NAME/node.crt, node.key      the node's, for its address, its name and localhost
#
# The folders are there. Where ca.crt is in DIR/trust everything is, and nothing is made. All are valid for five years.
# To replace the nodes' before then, remove ca.crt and run it again: the authority stays while its key is there.
set -euo pipefail

dir=$1
shift
if [ -e "$dir/trust/ca.crt" ]; then
  echo "$dir/trust/ca.crt is there: no certificate was made."
  exit 0
fi

# The tool makes its folders itself, and writes over nothing.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if [ -e "$dir/authority/ca.key" ] && [ -e "$dir/authority/ca.crt" ]; then
  mkdir "$work/ca"
  cp "$dir/authority/ca.crt" "$dir/authority/ca.key" "$work/ca/"
else
  es-gencert-cli create-ca -days 1825 -out "$work/ca"
  cp -f "$work/ca/ca.key" "$dir/authority/ca.key"
  cp -f "$work/ca/ca.crt" "$dir/authority/ca.crt"
fi
for node in "$@"; do
  name=${node%%=*}
  es-gencert-cli create-node -days 1825 -ca-certificate "$work/ca/ca.crt" -ca-key "$work/ca/ca.key" \
    -ip-addresses "127.0.0.1,${node#*=}" -dns-names "localhost,$name" -out "$work/$name"
  rm -f "$dir/$name/node.crt" "$dir/$name/node.key"
  cp "$work/$name/node.crt" "$work/$name/node.key" "$dir/$name/"
  # The nodes run as this user; whoever else runs this script keeps what is made.
  if [ "$(id -u)" = 0 ]; then
    chown 1000:1000 "$dir/$name/node.crt" "$dir/$name/node.key"
  fi
done
cp "$work/ca/ca.crt" "$dir/trust/ca.crt"
