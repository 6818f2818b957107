import { create, createFileRegistry, type DescMessage, fromJson, type Message } from "@bufbuild/protobuf";
import type { GenService } from "@bufbuild/protobuf/codegenv2";
import { protoCamelCase, reflect } from "@bufbuild/protobuf/reflect";
import { FileDescriptorProtoSchema, file_google_protobuf_timestamp } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError } from "@connectrpc/connect";
import type { AppOptions } from "@rollcall/server";

/** Creates a field. `type` is a scalar's, such as `INT32`, or a full name; the kind of a name has to be in `more`. */
const field = (name: string, number: number, type: string, more: object = {}) => ({
  name,
  jsonName: protoCamelCase(name),
  number,
  ...(type.startsWith(".") ? { typeName: type } : { type: `TYPE_${type}` }),
  ...more,
});
const repeated = { label: "LABEL_REPEATED" };
const file = fromJson(FileDescriptorProtoSchema, {
  name: "shop/orders.proto",
  package: "shop",
  syntax: "proto3",
  dependency: [file_google_protobuf_timestamp.proto.name],
  enumType: [
    {
      name: "Speed",
      value: [
        { name: "SPEED_UNSPECIFIED", number: 0 },
        { name: "SPEED_FAST", number: 1 },
      ],
    },
  ],
  messageType: [
    {
      name: "Order",
      field: [
        field("note", 1, "STRING"),
        field("speed", 2, ".shop.Speed", { type: "TYPE_ENUM" }),
        field("items", 3, ".shop.Order.Item", { type: "TYPE_MESSAGE", ...repeated }),
        field("labels", 4, ".shop.Order.LabelsEntry", { type: "TYPE_MESSAGE", ...repeated }),
        field("card", 5, "STRING", { oneofIndex: 0 }),
        field("voucher", 6, "INT64", { oneofIndex: 0 }),
        field("placed_at", 7, ".google.protobuf.Timestamp", { type: "TYPE_MESSAGE" }),
        field("priority", 8, "INT32", { proto3Optional: true, oneofIndex: 1 }),
        field("gift", 9, "BOOL"),
        field("seal", 10, "BYTES"),
        field("weight", 11, "DOUBLE"),
      ],
      oneofDecl: [{ name: "payment" }, { name: "_priority" }],
      nestedType: [
        { name: "Item", field: [field("sku", 1, "STRING"), field("count", 2, "UINT32")] },
        {
          name: "LabelsEntry",
          field: [field("key", 1, "STRING"), field("value", 2, "STRING")],
          options: { mapEntry: true },
        },
      ],
    },
    { name: "OutOfStock", field: [field("sku", 1, "STRING")] },
  ],
  service: [{ name: "OrderService", method: [{ name: "Place", inputType: ".shop.Order", outputType: ".shop.Order" }] }],
});
const registry = createFileRegistry(file, () => file_google_protobuf_timestamp.proto);

/** shop.OrderService, as a host of the server would mount it: its request has fields of all sorts. */
export const OrderService = registry.getService("shop.OrderService") as GenService<{
  place: { methodKind: "unary"; input: DescMessage; output: DescMessage };
}>;

/** Mounts the service. Place answers with its request; for the sku `none`, it fails with an OutOfStock detail. */
export const withOrders: Pick<AppOptions, "routes" | "permissions"> = {
  routes: (router) =>
    router.service(OrderService, {
      place(order: Message) {
        if (
          JSON.stringify(order, (_, value) => (typeof value === "bigint" ? String(value) : value)).includes('"none"')
        ) {
          const type = registry.getMessage("shop.OutOfStock") as DescMessage;
          const detail = reflect(type, create(type));
          detail.set(type.field.sku as never, "none");
          throw new ConnectError("out of stock", Code.FailedPrecondition, undefined, [
            { desc: type, value: detail.message },
          ]);
        }
        return order;
      },
    }),
  permissions: { "shop.OrderService/Place": "users:write" },
};
