import "./dialogs.css";

// The dialogs of the directory, loaded together when one is first needed.
export { DeleteDialog } from "./delete-dialog.tsx";
export { UserFormDialog } from "./user-form-dialog.tsx";
