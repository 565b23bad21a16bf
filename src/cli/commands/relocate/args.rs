//! Arguments of `relocate`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice, WritingArgs};
use crate::cli::size::Size;
use crate::survey::locate::IndexChoice;

/// Arguments of `relocate`.
#[derive(Args, Debug)]
pub(crate) struct RelocateArgs {
    /// Regular file or block device that has the metadata now
    pub(crate) image: PathBuf,
    /// Which resource of a stack [default: the only one]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// To where DRBD will look on the disk when it is cut to this size
    #[arg(long, value_name = "SIZE", conflicts_with_all = ["meta", "data", "index"])]
    pub(crate) for_size: Option<Size>,
    /// Where to: internal needs --data where the metadata is external, flex-external needs --meta where it is internal; indexed:N is the slot where it is now
    #[arg(long, value_name = "internal|flex-external|indexed:N")]
    pub(crate) index: Option<IndexChoice>,
    /// To this meta device: a new file, or a device or file that is there
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    pub(crate) meta: Option<PathBuf>,
    /// To the end of this disk, whose metadata is external now
    #[arg(long, value_name = "DISK")]
    pub(crate) data: Option<PathBuf>,
    /// The superblock is exactly at this byte
    #[arg(long, value_name = "BYTE")]
    pub(crate) at: Option<Size>,
    /// Look at the image from here on only (a partition in a whole-disk image)
    #[arg(long, value_name = "SIZE")]
    pub(crate) offset: Option<Size>,
    /// Look at this much of the image only
    #[arg(long, value_name = "SIZE")]
    pub(crate) size: Option<Size>,
    #[command(flatten)]
    pub(crate) writing: WritingArgs,
}

impl RelocateArgs {
    /// The image, and where in it the metadata is looked for.
    pub(crate) fn source(&self) -> ImageArgs {
        let slot = self.index.filter(|index| matches!(index, IndexChoice::Indexed(_)));
        ImageArgs {
            image: self.image.clone(),
            stacked: false,
            index: slot.unwrap_or_default(),
            at: self.at,
            offset: self.offset,
            size: self.size,
        }
    }

    /// The kind of place that was asked for, where one was.
    pub(crate) fn kind(&self) -> Option<IndexChoice> {
        self.index
            .filter(|index| !matches!(index, IndexChoice::Indexed(_)))
    }

    /// Why what was asked for contradicts itself.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        match (self.kind(), &self.meta, &self.data) {
            (Some(IndexChoice::Auto), _, _) => {
                Some("--index: expected internal, flex-external or indexed:N")
            }
            (Some(IndexChoice::Internal), Some(_), _) => {
                Some("--index internal and --meta: a meta device has external metadata")
            }
            (Some(IndexChoice::FlexExternal), _, Some(_)) => {
                Some("--index flex-external and --data: at a disk's end it is internal")
            }
            (_, Some(other), _) | (_, _, Some(other)) if *other == self.image => {
                Some("--meta and --data: that is where the metadata is now, expected another file or device")
            }
            _ => None,
        }
    }
}
