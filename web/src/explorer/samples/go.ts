import type { DescFile, JsonValue } from "@bufbuild/protobuf";
import { streamsRequests } from "../vias.ts";
import { literalOf, localNameOf, type SampledCall } from "./sampled-call.ts";

/** Makes the call with connect-go. */
export function goSample(call: SampledCall): string {
  const { address, method, via, bodies, headers, timeoutMs, withToken } = call;
  const { methodKind, name, input, parent } = method;
  const needsHttp2 = methodKind === "bidi_streaming" && address.startsWith("http:");
  const service = packageOf(parent.file);
  const request = packageOf(input.file);
  const connectPackage = `${service.name}connect`;
  const standard = [
    "context",
    ...(methodKind === "bidi_streaming" ? ["errors"] : []),
    "fmt",
    ...(methodKind === "bidi_streaming" ? ["io"] : []),
    "log",
    "net/http",
    ...(withToken ? ["os"] : []),
    ...(timeoutMs === undefined ? [] : ["time"]),
  ].map((path) => `\t"${path}"`);
  const generated = new Set([`\t${request.name} "${request.path}"`, `\t"${service.path}/${connectPackage}"`]);
  const client = [
    ...(needsHttp2
      ? [
          "protocols := new(http.Protocols)",
          "protocols.SetUnencryptedHTTP2(true)",
          "httpClient := &http.Client{Transport: &http.Transport{Protocols: protocols}}",
        ]
      : []),
    `client := ${connectPackage}.New${parent.name}Client(${needsHttp2 ? "httpClient" : "http.DefaultClient"}, ${JSON.stringify(address)}${via === "connect" ? "" : ", connect.WithGRPCWeb()"})`,
    ...(timeoutMs === undefined
      ? ["ctx := context.Background()"]
      : [`ctx, cancel := context.WithTimeout(context.Background(), ${timeoutMs}*time.Millisecond)`, "defer cancel()"]),
  ];
  const setHeaders = (target: string) => [
    ...(withToken ? [`${target}.Set("authorization", "Bearer "+os.Getenv("ROLLCALL_TOKEN"))`] : []),
    ...headers.map(([key, value]) => `${target}.Set(${JSON.stringify(key)}, ${JSON.stringify(value)})`),
  ];
  const fill = (body: JsonValue = bodies[0] ?? {}) =>
    `check(protojson.Unmarshal([]byte(${literalOf(body, "`")}), message))`;
  const message = `message := new(${request.name}.${localNameOf(input, "_")})`;
  const print = (answer: string) => `fmt.Println(protojson.Format(${answer}))`;
  const open = streamsRequests(method)
    ? [
        `stream := client.${name}(ctx)`,
        ...setHeaders("stream.RequestHeader()"),
        ...bodies.flatMap((body) => ["{", `\t${message}`, `\t${fill(body)}`, "\tcheck(stream.Send(message))", "}"]),
      ]
    : [message, fill(), "request := connect.NewRequest(message)", ...setHeaders("request.Header()")];
  const finish = {
    unary: [`response, err := client.${name}(ctx, request)`, "check(err)", print("response.Msg")],
    server_streaming: [
      `stream, err := client.${name}(ctx, request)`,
      "check(err)",
      "for stream.Receive() {",
      `\t${print("stream.Msg()")}`,
      "}",
      "check(stream.Err())",
    ],
    client_streaming: ["response, err := stream.CloseAndReceive()", "check(err)", print("response.Msg")],
    bidi_streaming: [
      "check(stream.CloseRequest())",
      "for {",
      "\tanswer, err := stream.Receive()",
      "\tif errors.Is(err, io.EOF) {",
      "\t\tbreak",
      "\t}",
      "\tcheck(err)",
      `\t${print("answer")}`,
      "}",
    ],
  }[methodKind];
  const usesConnect = !streamsRequests(method) || via !== "connect";
  return [
    "package main",
    "",
    "import (",
    ...standard,
    "",
    ...(usesConnect ? ['\t"connectrpc.com/connect"'] : []),
    '\t"google.golang.org/protobuf/encoding/protojson"',
    "",
    ...generated,
    ")",
    "",
    "func main() {",
    ...[...client, ...open, ...finish].map((line) => `\t${line}`),
    "}",
    "",
    "func check(err error) {",
    "\tif err != nil {",
    "\t\tlog.Fatal(err)",
    "\t}",
    "}",
    "",
  ].join("\n");
}

/**
 * Returns the Go package of a file's generated code: the one in its go_package, or else one in a module of the user's
 * own.
 */
function packageOf({ proto, name }: DescFile): { path: string; name: string } {
  const [path = "", alias] = (proto.options?.goPackage ?? "").split(";");
  const own = proto.package.replaceAll(".", "");
  if (path === "") return { path: `example.com/gen/${name.replace(/\/?[^/]*$/, "")}`, name: own };
  return { path, name: alias ?? path.replace(/^.*\//, "") };
}
