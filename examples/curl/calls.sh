#!/bin/sh
# Calls the directory with nothing but curl. Each call is a POST of JSON, with the token in TOKEN.
set -eu
address=${ROLLCALL_ADDRESS:-http://localhost:8080}

# call SERVICE/METHOD JSON: sends a request and prints the answer; an HTTP error ends the script.
call() {
  curl --silent --show-error --fail-with-body "$address/$1" --data "$2" \
    --header 'content-type: application/json' --header "authorization: Bearer $TOKEN"
  echo
}

# The id of the first user in an answer.
id() { sed -n 's/.*"id":"\([^"]*\)".*/\1/p'; }

# The same request_id makes a repeated create safe: it creates nothing twice.
request_id=$(uuidgen 2>/dev/null || cat /proc/sys/kernel/random/uuid)
new="{\"email\": \"hedy@example.com\", \"name\": \"Hedy Lamarr\", \"request_id\": \"$request_id\"}"
user=$(call user.v1.UserService/CreateUser "$new" | id)
[ "$user" = "$(call user.v1.UserService/CreateUser "$new" | id)" ]

call user.v1.UserService/UpdateUser "{\"id\": \"$user\", \"name\": \"Hedwig Kiesler\", \"update_mask\": \"name\"}"
call user.v1.UserService/ListUsers '{"filter": "hedwig", "order_by": "update_time desc", "include_total_size": true}'
call user.v1.UserService/GetUserHistory "{\"id\": \"$user\"}"

# A read can be a GET, too. With the etag of an answer, it returns 304 while nothing has changed.
read_user() {
  curl --silent --fail --get "$address/user.v1.UserService/GetUser" --header "authorization: Bearer $TOKEN" \
    --data-urlencode 'encoding=json' --data-urlencode "message={\"id\": \"$user\"}" "$@"
}
etag=$(read_user --output /dev/null --write-out '%header{etag}')
read_user --header "if-none-match: $etag" --write-out '%{http_code}\n'

call user.v1.UserService/DeleteUser "{\"id\": \"$user\"}"
