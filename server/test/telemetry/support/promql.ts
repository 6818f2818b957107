import { parser } from "@prometheus-io/lezer-promql";

/** Metric that a PromQL expression reads. */
export interface Selector {
  readonly metric: string;
  readonly matchers: readonly { readonly label: string; readonly isEqual: boolean; readonly value: string }[];
}

export interface Expression {
  readonly selectors: readonly Selector[];
  /** Labels by which results are grouped. */
  readonly groupings: readonly string[];
}

/**
 * Reads an expression with Prometheus's own grammar.
 *
 * @throws SyntaxError
 */
export function parsePromql(text: string): Expression {
  const selectors: Selector[] = [];
  const groupings: string[] = [];
  parser.parse(text).iterate({
    enter({ type, from, node }) {
      if (type.isError) throw new SyntaxError(`not PromQL at ${from}: ${text}`);
      const textOf = (name: string, within = node) => {
        const child = within.getChild(name);
        return child ? text.slice(child.from, child.to) : "";
      };
      if (type.name === "GroupingLabels") {
        for (const label of node.getChildren("LabelName")) groupings.push(text.slice(label.from, label.to));
      }
      if (type.name !== "VectorSelector") return;
      const matchers = (node.getChild("LabelMatchers")?.getChildren("UnquotedLabelMatcher") ?? []).map((matcher) => ({
        label: textOf("LabelName", matcher),
        isEqual: /^=~?$/.test(textOf("MatchOp", matcher)),
        value: JSON.parse(textOf("StringLiteral", matcher)) as string,
      }));
      selectors.push({ metric: textOf("Identifier"), matchers });
    },
  });
  return { selectors, groupings };
}
