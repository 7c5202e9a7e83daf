//! Filling a shader's uniform `params` from a struct of the host, by the names of its members. naga
//! gives their offsets and types in the shader, so no layout is written down twice.

use naga::common::wgsl::TypeContext;
use naga::{Handle, Module, Scalar, Type, TypeInner};
use serde::Serialize;
use serde_json::Value;

/// The bytes of a variable of type `ty` with the members of `params`. Panics unless they are those
/// that the shader declares, in any order, and each is a number that its type can hold. Arrays may
/// be shorter than the shader's; zeros follow. Messages begin with `path`.
pub(super) fn bytes(
    module: &Module,
    ty: Handle<Type>,
    params: &impl Serialize,
    path: &str,
) -> Vec<u8> {
    let value = serde_json::to_value(params).unwrap_or_else(|e| panic!("{path}: {e}"));
    let ty = &module.types[ty].inner;
    let mut bytes = vec![0; ty.size(module.to_ctx()) as usize];
    fill(module, ty, &value, path, &mut bytes);
    bytes
}

fn fill(module: &Module, ty: &TypeInner, value: &Value, path: &str, bytes: &mut [u8]) {
    match (ty, value) {
        (TypeInner::Struct { members, .. }, Value::Object(given)) => {
            for name in given.keys() {
                let known = members.iter().any(|member| member.name.as_ref() == Some(name));
                assert!(known, "{path}.{name}: the shader has no such member");
            }
            for member in members {
                let path = format!("{path}.{}", member.name.as_deref().unwrap_or_default());
                let value = member.name.as_ref().and_then(|name| given.get(name));
                let value = value.unwrap_or_else(|| panic!("{path}: nothing is given"));
                let ty = &module.types[member.ty].inner;
                let bytes =
                    &mut bytes[member.offset as usize..][..ty.size(module.to_ctx()) as usize];
                fill(module, ty, value, &path, bytes);
            }
        }
        (&TypeInner::Array { base, stride, .. }, Value::Array(items)) => {
            fill_each(module, &module.types[base].inner, items, path, stride, bytes);
        }
        (&TypeInner::Vector { scalar, size }, Value::Array(items))
            if items.len() == size as usize =>
        {
            fill_each(module, &TypeInner::Scalar(scalar), items, path, scalar.width.into(), bytes);
        }
        _ => {
            let word = word(ty, value).unwrap_or_else(|| {
                let mut name = String::new();
                _ = module.types.write_type_inner(ty, &mut name);
                panic!("{path}: {value} is not of type {name}")
            });
            bytes.copy_from_slice(&word.to_le_bytes());
        }
    }
}

fn fill_each(
    module: &Module,
    ty: &TypeInner,
    items: &[Value],
    path: &str,
    stride: u32,
    bytes: &mut [u8],
) {
    let stride = stride as usize;
    assert!(items.len() * stride <= bytes.len(), "{path}: the shader has no {} items", items.len());
    for (i, (item, bytes)) in items.iter().zip(bytes.chunks_exact_mut(stride)).enumerate() {
        fill(module, ty, item, &format!("{path}[{i}]"), bytes);
    }
}

/// The bits of a number, if the type is a scalar that can hold it.
fn word(ty: &TypeInner, value: &Value) -> Option<u32> {
    match *ty {
        TypeInner::Scalar(Scalar::U32) => value.as_u64()?.try_into().ok(),
        TypeInner::Scalar(Scalar::I32) => {
            i32::try_from(value.as_i64()?).ok().map(i32::cast_unsigned)
        }
        // serde_json keeps floats apart from integers, so 1 is no f32 while 1.0 is one.
        TypeInner::Scalar(Scalar::F32) if value.is_f64() => {
            Some((value.as_f64()? as f32).to_bits())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::panic;

    use serde_json::json;

    use super::Value;
    use crate::gpu::{AdapterReport, Recording, Shader, Tensor};

    const SHADER: Shader = Shader::from_text(
        "blend",
        "
        struct Item { at: vec2<i32>, @size(8) share: f32 }
        struct Params { count: u32, columns: u32, @align(16) items: array<Item, 2>, scale: f32 }

        @group(0) @binding(0) var<uniform> params: Params;
        @group(0) @binding(1) var<storage, read_write> y: array<f32>;

        @compute @workgroup_size(1)
        fn forward() {
            y[params.count + params.columns] = params.items[0].share * params.scale;
        }",
    );

    fn recorded(params: &Value) -> Vec<u8> {
        let mut recording = Recording::new(&AdapterReport::webgpu());
        let y = Tensor::zeros("y", &[4]);
        let kernel = SHADER.kernel("forward", &[]);
        recording.record(kernel, "test", params, &[("y", &y)], [1, 1, 1]);
        recording.dispatches()[0].params.clone()
    }

    #[test]
    fn members_lie_where_the_shader_has_them_in_whatever_order_they_are_given() {
        // The second item is left out.
        let items = json!([{ "share": 0.5, "at": [-1, 2] }]);
        let params = json!({ "scale": 2.0, "columns": 7, "items": items, "count": u32::MAX });
        let mut want = [0u32; 16];
        [want[0], want[1]] = [u32::MAX, 7];
        [want[4], want[5], want[6]] = [u32::MAX, 2, 0.5f32.to_bits()];
        want[12] = 2f32.to_bits();
        assert_eq!(recorded(&params), want.map(u32::to_le_bytes).concat());
    }

    #[test]
    fn faults_are_named_with_shader_and_member() {
        let whole = json!({ "count": 1, "columns": 2, "items": [], "scale": 1.0 });
        let item = |at: Value, share: Value| json!([{ "at": at, "share": share }]);
        for (member, value, want) in [
            ("rows", json!(1), "rows: the shader has no such member"),
            ("count", Value::Null, "count: nothing is given"),
            ("count", json!(1.0), "count: 1.0 is not of type u32"),
            ("count", json!(-1), "count: -1 is not of type u32"),
            ("count", json!(1u64 << 32), "count: 4294967296 is not of type u32"),
            ("scale", json!(1), "scale: 1 is not of type f32"),
            ("scale", json!([1.0]), "scale: [1.0] is not of type f32"),
            ("items", json!(1), "items: 1 is not of type array<Item, 2>"),
            ("items", json!([0, 0, 0]), "items: the shader has no 3 items"),
            ("items", item(json!([1, 0.5]), json!(1.0)), "items[0].at[1]: 0.5 is not of type i32"),
            ("items", item(json!([1]), json!(1.0)), "items[0].at: [1] is not of type vec2<i32>"),
            ("items", item(json!([1, 2]), json!("x")), "items[0].share: \"x\" is not of type f32"),
        ] {
            let mut params = whole.clone();
            match value {
                Value::Null => _ = params.as_object_mut().unwrap().remove(member),
                value => params[member] = value,
            }
            let panic = panic::catch_unwind(|| recorded(&params)).expect_err(want);
            let message = panic.downcast_ref::<String>().expect("a message");
            assert_eq!(*message, format!("test.blend.forward: params.{want}"));
        }
    }
}
