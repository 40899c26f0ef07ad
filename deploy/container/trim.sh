#!/bin/sh
# Takes out of an application folder (dist, node_modules, contracts) what no deployed process needs.
set -eu
app=$1
# Programs that prove the product, and maps for debuggers.
rm -rf "$app"/dist/bootstrap/crash-test "$app"/dist/bootstrap/crash-test.main.js \
  "$app"/dist/bootstrap/real-data "$app"/dist/bootstrap/real-data.main.js
find "$app/dist" -name '*.map' -delete
# The SQLite driver of the other line (docs/adr/0013): on this Node it is never loaded.
case "$(node -p 'Number(process.versions.node.split(".")[0]) >= 22')" in
  true) rm -rf "$app/node_modules/better-sqlite3" ;;
  *) rm -rf "$app/node_modules/better-sqlite3-13" ;;
esac
# Sources, types and documents of the packages.
find "$app/node_modules" -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.md' \) -delete
chmod 755 "$app/dist/bootstrap/command-line.main.js"
