import { fileDesc } from "@bufbuild/protobuf/codegenv2";

/**
 * Stands in for the schema of validation rules, buf/validate/validate.proto, where
 * the generated code imports it: that needs no more than its name, and the whole is
 * 15 KB of the page's first JavaScript. The validator brings its own, when it is loaded.
 */
export const file_buf_validate_validate = /*@__PURE__*/ fileDesc(btoa("\n\x1bbuf/validate/validate.proto"));
