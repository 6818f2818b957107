import type { GenFile } from "@bufbuild/protobuf/codegenv2";
import { fileDesc } from "@bufbuild/protobuf/codegenv2";

/**
 * Stand-in, in browsers, for the schema of the validation rules, buf/validate/validate.proto:
 * generated code needs no more of it than its name, and the whole adds 14 kB to a page's
 * compressed JavaScript. A validator brings the schema itself.
 */
export const file_buf_validate_validate: GenFile = /*@__PURE__*/ fileDesc(btoa("\n\x1bbuf/validate/validate.proto"));
