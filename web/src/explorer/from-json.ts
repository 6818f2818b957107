// A module of its own, so that it is loaded when a message is made.
export { fromJson } from "@bufbuild/protobuf";
