import "./dialogs.css";

// The dialogs of the directory, loaded together when one is first needed.
export { DeleteDialog } from "./delete-dialog.tsx";
export { ExportDialog } from "./transfer/export-dialog.tsx";
export { ImportDialog } from "./transfer/import-dialog.tsx";
export { UserFormDialog } from "./user-form-dialog.tsx";
