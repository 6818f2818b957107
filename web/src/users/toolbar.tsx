import { isOrder, ORDERS } from "./order.ts";
import { SearchField } from "./search-field.tsx";
import { PAGE_SIZES, type View, type ViewChanges } from "./use-view.ts";

/** Chooses which users are shown, and how. */
export function Toolbar({ view, show }: { view: View } & Pick<ViewChanges, "show">) {
  return (
    <div className="toolbar">
      <SearchField value={view.filter} onSearch={(filter) => show({ filter })} />
      <select
        aria-label="Order"
        value={view.order}
        onChange={({ target }) => isOrder(target.value) && show({ order: target.value })}
      >
        {Object.entries(ORDERS).map(([order, name]) => (
          <option key={order} value={order}>
            {name}
          </option>
        ))}
      </select>
      <select
        aria-label="Per page"
        value={view.pageSize}
        onChange={({ target }) => show({ pageSize: Number(target.value) })}
      >
        {PAGE_SIZES.map((size) => (
          <option key={size} value={size}>
            {size} per page
          </option>
        ))}
      </select>
    </div>
  );
}
