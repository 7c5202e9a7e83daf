//! What a shader's uniform `params` is filled with: a struct of the host, by the names of its members.
//! naga says where the shader has them, and of what type, so no layout is written down twice.

use naga::{Handle, Module, Scalar, Type, TypeInner};
use serde::Serialize;
use serde_json::Value;

/// The bytes of a variable of type `ty` with the members of `params`. Panics unless they are those that
/// the shader declares, in whatever order, and each is a number of its type; arrays may be shorter, and
/// end in zeros. `path` is where messages begin.
pub(super) fn bytes(
    module: &Module,
    ty: Handle<Type>,
    params: &impl Serialize,
    path: &str,
) -> Vec<u8> {
    let value = serde_json::to_value(params).unwrap_or_else(|e| panic!("{path}: {e}"));
    let mut bytes = vec![0; module.types[ty].inner.size(module.to_ctx()) as usize];
    fill(module, &module.types[ty].inner, &value, path, &mut bytes);
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
                let name = member.name.as_deref().unwrap_or_default();
                let path = format!("{path}.{name}");
                let value = given.get(name).unwrap_or_else(|| panic!("{path}: nothing is given"));
                let bytes = &mut bytes[member.offset as usize..];
                fill(module, &module.types[member.ty].inner, value, &path, bytes);
            }
        }
        (&TypeInner::Array { base, stride, .. }, Value::Array(items)) => {
            fill_each(module, &module.types[base].inner, items, path, stride, bytes);
        }
        (&TypeInner::Vector { scalar, .. }, Value::Array(items)) => {
            fill_each(module, &TypeInner::Scalar(scalar), items, path, 4, bytes);
        }
        (&TypeInner::Scalar(scalar), value) => {
            let (name, word) = match scalar {
                Scalar::U32 => ("u32", value.as_u64().and_then(|n| n.try_into().ok())),
                Scalar::I32 => {
                    let number: Option<i32> = value.as_i64().and_then(|n| n.try_into().ok());
                    ("i32", number.map(i32::cast_unsigned))
                }
                Scalar::F32 if value.is_f64() => {
                    ("f32", value.as_f64().map(|n| (n as f32).to_bits()))
                }
                _ => ("f32", None),
            };
            let word: u32 = word.unwrap_or_else(|| panic!("{path}: {value} is not of type {name}"));
            bytes[..4].copy_from_slice(&word.to_le_bytes());
        }
        _ => panic!("{path}: {value} is not of the shader's type"),
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
