//! The generated WGSL of a formula, and its bindings.

use std::collections::BTreeSet;

use super::task::Task;
use super::{Expression, Part};
use crate::gpu::{Shader, Tensor};

/// Whether the WGSL `function` contains the identifier `name`.
fn is_named(function: &str, name: &str) -> bool {
    function.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == name)
}

/// A comma-separated list of parameters or arguments.
fn list(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(", ")
}

impl Task<'_> {
    /// The first operand with the tensor of operand `i`, after which their common binding is named.
    fn first(&self, i: usize) -> usize {
        let tensor = &self.operands().nth(i).expect("an operand").tensor;
        self.operands().position(|operand| operand.tensor.is_same(tensor)).expect("itself")
    }

    /// The WGSL expressions to compute: the value, or the derivative by each operand of
    /// [`Task::by`].
    fn functions(&self) -> Vec<&'static str> {
        let Expression { name, operands, value, slopes, .. } = self.formula.expression;
        if self.by.is_none() {
            return vec![value];
        }
        let slope = |i: usize| {
            assert!(!slopes[i].is_empty(), "{name}: no derivative by {}", operands[i]);
            slopes[i]
        };
        self.by().map(slope).collect()
    }

    /// Numbers of the bindings that are read: a derivative may need only some.
    fn read(&self) -> BTreeSet<usize> {
        let functions = self.functions();
        let names = self.formula.expression.operands.iter().enumerate();
        let named = names.filter(|(_, name)| functions.iter().any(|text| is_named(text, name)));
        let gradient = self.by.map(|_| self.formula.operands.len());
        named.map(|(i, _)| i).chain(gradient).map(|i| self.first(i)).collect()
    }

    /// The shader's variables, each with the tensor that is bound to it.
    pub(super) fn bound<'b>(&'b self, result: &'b Tensor) -> Vec<(String, &'b Tensor)> {
        let operands: Vec<_> = self.operands().collect();
        let read = self.read().into_iter();
        let read = read.map(|i| (format!("operand_{i}"), &operands[i].tensor));
        read.chain([("result".into(), result)]).collect()
    }

    pub(super) fn shader(&self) -> Shader {
        let Expression { name, imports, .. } = self.formula.expression;
        let functions = self.functions();
        let mut lines = Vec::new();
        lines.extend(imports.iter().map(|path| format!("#import {path}")));
        lines.push("#import expression".into());
        for i in self.read() {
            let binding = format!("@group(0) @binding({}) var<storage, read_write>", i + 2);
            lines.push(format!("{binding} operand_{i}: array<f32>; // read only"));
        }
        for (i, function) in functions.iter().enumerate() {
            let arguments = self.arguments(function, "").into_iter();
            let parameters = list(arguments.map(|(name, _)| format!("{name}: f32")));
            lines.push(format!("\nfn function_{i}({parameters}) -> f32 {{"));
            lines.push(format!("    return {function};\n}}"));
        }
        let call = |i: usize, column: &str| {
            let arguments = self.arguments(functions[i], column).into_iter();
            format!("function_{i}({})", list(arguments.map(|(_, value)| value)))
        };
        // The gradient by what goes for several rows is a sum over them.
        let is_sum = self.by().any(|i| self.is_spread(&self.formula.operands[i]));
        let (indent, own) = if is_sum { ("    ", "few") } else { ("", "row") };
        lines.push(format!("\nfn term(p: Params, {own}: u32, column: u32) -> f32 {{"));
        if self.by.is_none() {
            lines.push(format!("    return {};", call(0, "column")));
        } else {
            let gradient = self.element(self.formula.operands.len(), "own");
            lines.push("    var sum = 0.0;".into());
            lines.push(
                "    var own: u32; // an operand's column; far too large before its first".into(),
            );
            if is_sum {
                lines.push("    for (var k = 0u; k < p.span; k++) {".into());
                lines.push("        let row = few * p.span + k;".into());
            }
            for (i, operand) in self.by().enumerate() {
                lines.push(format!("{indent}    own = column - p.places[{operand}].first;"));
                lines.push(format!("{indent}    if own < p.columns {{"));
                lines.push(format!("{indent}        sum += {gradient} * {};", call(i, "own")));
                lines.push(format!("{indent}    }}"));
            }
            if is_sum {
                lines.push("    }".into());
            }
            lines.push("    return sum;".into());
        }
        lines.push("}\n".into());
        let suffix = if self.by.is_some() { ".backward" } else { "" };
        Shader::generated(format!("expression.{name}{suffix}"), lines.join("\n"))
    }

    /// The operands and numbers that `function` uses, each with the WGSL for its value in `column`.
    fn arguments(&self, function: &str, column: &str) -> Vec<(&'static str, String)> {
        let Expression { operands, numbers, .. } = self.formula.expression;
        let operands =
            operands.iter().enumerate().map(|(i, name)| (*name, self.element(i, column)));
        let number = |(i, name): (usize, &&'static str)| (*name, format!("p.numbers[{i}]"));
        let all = operands.chain(numbers.iter().enumerate().map(number));
        all.filter(|(name, _)| is_named(function, name)).collect()
    }

    /// The WGSL for operand `i`'s element in `column`.
    fn element(&self, i: usize, column: &str) -> String {
        let operand = self.operands().nth(i).expect("an operand");
        let at = match operand.part {
            Part::Columns(_) if self.is_spread(operand) => {
                format!("at(p.places[{i}], row / p.places[{i}].span, {column})")
            }
            Part::Columns(_) => format!("at(p.places[{i}], row, {column})"),
            Part::Row => format!("at_row(p.places[{i}], row)"),
            Part::Scalar => "0".into(),
        };
        format!("operand_{}[{at}]", self.first(i))
    }
}
