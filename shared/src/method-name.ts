/** Returns a method's full name, such as `user.v1.UserService/GetUser`. */
export function methodName(method: { readonly name: string; readonly parent: { readonly typeName: string } }): string {
  return `${method.parent.typeName}/${method.name}`;
}
