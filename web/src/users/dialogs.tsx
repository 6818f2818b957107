import "./dialogs.css";

export { DeleteDialog } from "./delete-dialog.tsx";
export { UserFormDialog } from "./user-form-dialog.tsx";
