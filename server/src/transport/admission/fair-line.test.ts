import { expect, test } from "vitest";
import { FairLine } from "./fair-line.ts";

function drain<T>(line: FairLine<object, T>): T[] {
  return Array.from({ length: line.length }, () => line.shift() as T);
}

test("connections take turns, however much each has in line", () => {
  const line = new FairLine<object, string>(() => false);
  const [first, second] = [{}, {}];
  for (const item of ["a1", "a2", "a3"]) line.push(first, item);
  line.push(second, "b1");
  expect([line.length, line.connections, line.lengthOf(first), line.lengthOf({})]).toEqual([4, 2, 3, 0]);
  expect(drain(line)).toEqual(["a1", "b1", "a2", "a3"]);
  expect([line.shift(), line.length, line.connections]).toEqual([undefined, 0, 0]);
});

test("every second turn is that of light connections, however many are heavy", () => {
  const heavy = Array.from({ length: 4 }, (_, index) => ({ name: `h${index}` }));
  const light = { name: "light" };
  const line = new FairLine<object, string>((connection) => connection !== light);
  for (const connection of heavy) line.push(connection, connection.name);
  line.push(light, "l1");
  line.push(light, "l2");
  expect(drain(line)).toEqual(["l1", "h0", "l2", "h1", "h2", "h3"]);
});

test("a connection that has become heavy in line lets light ones go first", () => {
  const heavy = new Set<object>();
  const [greedy, modest] = [{}, {}];
  const line = new FairLine<object, string>((connection) => heavy.has(connection));
  line.push(greedy, "g1");
  line.push(greedy, "g2");
  line.push(modest, "m1");
  heavy.add(greedy);
  expect(drain(line)).toEqual(["m1", "g1", "g2"]);
});

test("the latest items of heavy connections are taken back, each connection in turn", () => {
  const light = {};
  const [first, second] = [{}, {}];
  const line = new FairLine<object, string>((connection) => connection !== light);
  for (const item of ["a1", "a2"]) line.push(first, item);
  for (const item of ["b1", "b2"]) line.push(second, item);
  line.push(light, "l1");
  expect([line.pop(() => true), line.pop(() => true), line.pop(() => false)]).toEqual(["a2", "b2", undefined]);
  expect(drain(line).sort()).toEqual(["a1", "b1", "l1"]);
  line.push(light, "l2");
  expect(line.pop(() => true)).toBe(undefined);
});
