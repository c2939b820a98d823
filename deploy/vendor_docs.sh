#!/bin/sh
# Fetches the two documentation pages' scripts from npm into platform/torg/static/docs, so that
# /docs and /redoc work with the network off. A package whose hash is not the one below is refused.
#
# To take a newer version: change version and hash here, the paths in torg/docs_pages.py, run this.
set -eu

SWAGGER_UI=5.35.0
SWAGGER_UI_SHA512=U06rpMtW9V3XPGOBeamTUSr0Z09jMX4IJuANpE/EZbAhw0G8CgwrzU4YmXkn/h0wCDNsXdGarTNNHC3sU8yVUQ==
REDOC=2.5.4
REDOC_SHA512=M6jWhG1qoBnH6TFmzJnstyCZ87HmOY/UzDm78mHiYihEdlV/YcS9ogOo1NlElnJMeLsyxHFe2yFc4sNjHTrABQ==

target=$(cd "$(dirname "$0")/.." && pwd)/platform/torg/static/docs
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch() { # name version sha512
  (cd "$work" && npm pack --silent --loglevel=error "$1@$2" >/dev/null)
  archive="$work/$1-$2.tgz"
  found=$(openssl dgst -sha512 -binary "$archive" | openssl base64 -A)
  if [ "$found" != "$3" ]; then
    echo "$1 $2: the hash is $found, not the expected $3" >&2
    exit 1
  fi
  mkdir "$work/$1"
  tar -xzf "$archive" -C "$work/$1" --strip-components=1
}

keep() { # name version file...
  name=$1 version=$2
  shift 2
  rm -rf "$target/$name-$version"
  mkdir -p "$target/$name-$version"
  for file in "$@"; do
    cp "$work/$name/$file" "$target/$name-$version/"
  done
}

fetch swagger-ui-dist "$SWAGGER_UI" "$SWAGGER_UI_SHA512"
keep swagger-ui-dist "$SWAGGER_UI" \
  LICENSE NOTICE swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css

fetch redoc "$REDOC" "$REDOC_SHA512"
# Its logo is the one thing it would load from elsewhere.
sed -i.bak 's#https://cdn\.redoc\.ly/redoc/logo-mini\.svg#data:,#' "$work/redoc/bundles/redoc.standalone.js"
keep redoc "$REDOC" \
  LICENSE bundles/redoc.standalone.js bundles/redoc.standalone.js.LICENSE.txt

echo "Vendored into $target: swagger-ui-dist $SWAGGER_UI, redoc $REDOC."
