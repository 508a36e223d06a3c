//! Saved states carry the version of their layout and a checksum, so that a file that was changed or cut short is refused rather than
//! continued.

use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The layout that this crate writes and reads.
const VERSION: u32 = 4;

/// Upper and lower half: some formats have no unsigned integers of 64 bits. (A text is no choice: bincode 1 reserves memory for
/// whatever length a damaged file states.)
type Checksum = (u32, u32);

#[derive(Serialize)]
struct Written<'a, V> {
    version: u32,
    checksum: Checksum,
    content: &'a V,
}

#[derive(Deserialize)]
struct Read<V> {
    version: u32,
    checksum: Checksum,
    content: V,
}

/// FNV-1a, 64 bits (Fowler, Noll and Vo): of two inputs that differ in one byte the sums differ.
struct Sum(u64);

impl postcard::ser_flavors::Flavor for Sum {
    type Output = u64;
    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Ok(())
    }
    fn finalize(self) -> postcard::Result<u64> {
        Ok(self.0)
    }
}

/// Of the value in postcard's binary form, whatever format the file is in.
fn checksum<V: Serialize>(value: &V) -> postcard::Result<Checksum> {
    postcard::serialize_with_flavor(value, Sum(0xcbf2_9ce4_8422_2325))
        .map(|sum| ((sum >> 32) as u32, sum as u32))
}

pub(crate) fn write<V: Serialize, Z: Serializer>(content: &V, serializer: Z) -> Result<Z::Ok, Z::Error> {
    Written {
        version: VERSION,
        checksum: checksum(content).map_err(Z::Error::custom)?,
        content,
    }
    .serialize(serializer)
}

pub(crate) fn read<'de, V, D>(deserializer: D) -> Result<V, D::Error>
where
    V: Serialize + Deserialize<'de>,
    D: Deserializer<'de>,
{
    let read = Read::<V>::deserialize(deserializer)?;
    if read.version != VERSION {
        return Err(D::Error::custom(format!(
            "layout {} of another version, expected {VERSION}",
            read.version
        )));
    }
    if checksum(&read.content).map_err(D::Error::custom)? != read.checksum {
        return Err(D::Error::custom(
            "the checksum does not fit: the file is damaged (or its format rounds numbers: serde_json needs its feature float_roundtrip)",
        ));
    }
    Ok(read.content)
}

/// Serde's traits for a type that derives them with `serde(remote = "Self")`, through [`write`] and [`read`]. The derived functions
/// must ask for no more than the bounds here (state them with `serde(bound)`): else the paths below mean the traits, not them.
macro_rules! sealed {
    ($name:ident<$($p:ident),*>) => {
        #[cfg(feature = "serde")]
        const _: () = {
            struct Plain<V>(V);
            impl<$($p: serde::Serialize),*> serde::Serialize for Plain<&$name<$($p),*>> {
                fn serialize<Z: serde::Serializer>(&self, z: Z) -> Result<Z::Ok, Z::Error> {
                    $name::<$($p),*>::serialize(self.0, z)
                }
            }
            impl<$($p: serde::Serialize),*> serde::Serialize for Plain<$name<$($p),*>> {
                fn serialize<Z: serde::Serializer>(&self, z: Z) -> Result<Z::Ok, Z::Error> {
                    $name::<$($p),*>::serialize(&self.0, z)
                }
            }
            impl<'de, $($p: serde::Serialize + serde::Deserialize<'de>),*> serde::Deserialize<'de> for Plain<$name<$($p),*>> {
                fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                    $name::<$($p),*>::deserialize(d).map(Plain)
                }
            }
            impl<$($p: serde::Serialize),*> serde::Serialize for $name<$($p),*> {
                fn serialize<Z: serde::Serializer>(&self, z: Z) -> Result<Z::Ok, Z::Error> {
                    $crate::solve::sealed::write(&Plain(self), z)
                }
            }
            impl<'de, $($p: serde::Serialize + serde::Deserialize<'de>),*> serde::Deserialize<'de> for $name<$($p),*> {
                fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                    $crate::solve::sealed::read::<Plain<$name<$($p),*>>, D>(d).map(|plain| plain.0)
                }
            }
        };
    };
}
pub(crate) use sealed;
