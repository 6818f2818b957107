import { expect, test } from "vitest";
import { findColumns } from "./csv-header.ts";

test.each([
  [["email", "name"], { email: 0, name: 1 }],
  [["Team", " NAME ", "E-Mail", "Email"], { email: 3, name: 1 }],
  [["email", "name", "", "", "team", "team"], { email: 0, name: 1 }],
  [["a;b", "email", "name"], { email: 1, name: 2 }],
])("%j has the columns", (fields, columns) => {
  expect(findColumns(fields)).toEqual(columns);
});

test.each([
  [["email", "name", "email"], "names the column email twice"],
  [["Name", "email", " name "], "names the column name twice"],
  [["email;name"], "has semicolons between its fields"],
  [['"team";"Email" ; "name"'], "has semicolons between its fields"],
  [["team, small;email;name".split(",")].flat(), "has semicolons between its fields"],
  [["email\tname"], "has tabs between its fields"],
  [["email|name"], "has vertical bars between its fields"],
  [["email;address"], "must name the columns email and name"],
  [["email name"], "must name the columns email and name"],
  [[], "must name the columns email and name"],
])("%j is refused with a reason", (fields, problem) => {
  expect(() => findColumns(fields)).toThrow(problem);
});
