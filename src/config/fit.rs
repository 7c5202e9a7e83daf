//! The layers of convolutional presets for images of any shape: as many halvings as leave a few
//! pixels a side, each axis by itself, so that long and odd images are halved and restored as well.

use crate::data::ImageShape;

/// A family of layers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    /// Convolutions with a stride, and transposed ones behind a hidden layer.
    Plain,
    /// Convolutions with a stride, and transposed ones with an even kernel.
    Even,
    /// The same around residual blocks with batch norms; upsampling on the way back.
    Residual,
}

/// A halving: the sizes (height, width) before and after it, and the channels before and after.
struct Stage {
    large: [usize; 2],
    small: [usize; 2],
    channels: usize,
    /// Channels on the larger side; `None` for the image's own.
    outer: Option<usize>,
}

/// The most channels of a map.
const WIDEST: usize = 256;

impl Family {
    /// The halvings for images of a shape, at least one, which may leave a side as it is.
    fn stages(self, shape: ImageShape) -> Vec<Stage> {
        // A side is halved until so few pixels are left.
        let few = if self == Self::Residual { 8 } else { 7 };
        let halved = |side: usize| if side > few { side.div_ceil(2) } else { side };
        let mut sizes = vec![[shape.height, shape.width]];
        loop {
            let last = sizes[sizes.len() - 1];
            let next = last.map(halved);
            if next == last && sizes.len() > 1 {
                break;
            }
            sizes.push(next);
        }
        // The channels double up to a limit that grows with the number of halvings.
        let count = sizes.len() - 1;
        let most = (64 << ((count.max(2) - 2) / 2)).min(WIDEST);
        let width = |stage: usize| (32 << stage.min(8)).min(most);
        let stage = |i: usize| Stage {
            large: sizes[i],
            small: sizes[i + 1],
            channels: width(i),
            outer: i.checked_sub(1).map(width),
        };
        (0..count).map(stage).collect()
    }

    /// The number of latent variables that a preset's number becomes for images of a shape.
    pub fn latent(self, latent: usize, shape: ImageShape) -> usize {
        let is_large = self.stages(shape).len() > 3;
        if is_large { 2 * latent } else { latent }
    }

    /// The lists of layers as TOML, the encoder's and the decoder's.
    pub fn layers(self, shape: ImageShape) -> [String; 2] {
        let stages = self.stages(shape);
        let image = format!("{}x{}x{}", shape.channels, shape.height, shape.width);
        let last = stages.last().expect("there is at least one");
        let (channels, [height, width]) = (last.channels, last.small);
        let features = channels * height * width;

        let mut encoder = List::default();
        for stage in &stages {
            let (channels, stride) = (stage.channels, pair(stage.strides()));
            let options =
                format!("conv2d = {channels}, kernel = 3, stride = {stride}, padding = 1");
            encoder.layer(&format!("{{ {options} }}"), &stage.after());
            self.norm(&mut encoder);
            encoder.layer("\"relu\"", "");
            self.block(&mut encoder, channels);
        }
        encoder.layer("\"flatten\"", &features.to_string());

        let mut decoder = List::default();
        if self == Self::Plain {
            decoder.layer("{ linear = 256 }", "");
            decoder.layer("\"relu\"", "");
        }
        decoder.layer(&format!("{{ linear = {features} }}"), "");
        decoder.layer("\"relu\"", "");
        decoder.layer(&format!("{{ reshape = [{channels}, {height}, {width}] }}"), "");
        self.block(&mut decoder, channels);
        for stage in stages.iter().rev() {
            let Some(outer) = stage.outer else { break };
            self.double(&mut decoder, stage, &outer.to_string());
            self.norm(&mut decoder);
            decoder.layer("\"relu\"", "");
            self.block(&mut decoder, outer);
        }
        self.double(&mut decoder, &stages[0], "\"image\"");
        if self != Self::Plain {
            decoder.layer("\"sigmoid\"", "");
        }
        [
            encoder.toml("encoder", &format!("{image}: channels, rows, columns")),
            decoder.toml("decoder", ""),
        ]
    }

    fn norm(self, list: &mut List) {
        if self == Self::Residual {
            list.layer("\"batch_norm\"", "");
        }
    }

    /// A residual block, and the activation behind it.
    fn block(self, list: &mut List, channels: usize) {
        if self != Self::Residual {
            return;
        }
        list.layer("{ residual = [", "");
        let conv = format!("    {{ conv2d = {channels}, kernel = 3, padding = 1 }}");
        for layer in [&conv, "    \"batch_norm\"", "    \"relu\"", &conv, "    \"batch_norm\""] {
            list.layer(layer, "");
        }
        list.layer("] }", "");
        list.layer("\"relu\"", "");
    }

    /// The layers that undo a halving.
    fn double(self, list: &mut List, stage: &Stage, outputs: &str) {
        let after = if stage.outer.is_some() { stage.before() } else { String::new() };
        let stride = stage.strides();
        // A side that is left as it is, an odd one, and an even one need different sizes.
        let kinds = [0, 1].map(|axis| match (stride[axis], stage.large[axis] % 2) {
            (1, _) => 0,
            (_, 1) => 1,
            _ => 2,
        });
        let by_axis = |sizes: [usize; 3]| pair(kinds.map(|kind| sizes[kind]));
        let transposed = |kernel: &str, more: &str| {
            let stride = pair(stride);
            format!(
                "{{ conv_transpose2d = {outputs}, kernel = {kernel}, stride = {stride}, padding = 1{more} }}"
            )
        };
        match self {
            Self::Plain => {
                let more = by_axis([0, 0, 1]);
                let more =
                    if more == "0" { String::new() } else { format!(", output_padding = {more}") };
                list.layer(&transposed("3", &more), &after);
            }
            Self::Even => list.layer(&transposed(&by_axis([3, 3, 4]), ""), &after),
            Self::Residual => {
                let (kernel, padding) = (by_axis([3, 2, 3]), by_axis([1, 0, 1]));
                list.layer(&format!("{{ upsample = {} }}", pair(stride)), "");
                let options = format!("conv2d = {outputs}, kernel = {kernel}, padding = {padding}");
                list.layer(&format!("{{ {options} }}"), &after);
            }
        }
    }
}

impl Stage {
    fn strides(&self) -> [usize; 2] {
        [0, 1].map(|axis| if self.small[axis] == self.large[axis] { 1 } else { 2 })
    }

    /// The shape on the smaller side.
    fn after(&self) -> String {
        format!("{}x{}x{}", self.channels, self.small[0], self.small[1])
    }

    /// The shape on the larger side, unless that is the image.
    fn before(&self) -> String {
        let channels = self.outer.unwrap_or_default();
        format!("{channels}x{}x{}", self.large[0], self.large[1])
    }
}

/// Two numbers as TOML, or one where they are the same.
fn pair([down, across]: [usize; 2]) -> String {
    if down == across { down.to_string() } else { format!("[{down}, {across}]") }
}

/// Lines of TOML, each with a comment.
#[derive(Default)]
struct List(Vec<(String, String)>);

impl List {
    fn layer(&mut self, text: &str, comment: &str) {
        // A list that begins takes no comma.
        let comma = if text.ends_with('[') { "" } else { "," };
        self.0.push((format!("    {text}{comma}"), comment.into()));
    }

    fn toml(mut self, name: &str, comment: &str) -> String {
        self.0.insert(0, (format!("{name} = ["), comment.into()));
        let commented = self.0.iter().filter(|(_, comment)| !comment.is_empty());
        let width = commented.map(|(text, _)| text.len()).max().unwrap_or(0);
        let line = |(text, comment): &(String, String)| match comment.is_empty() {
            true => format!("{text}\n"),
            false => format!("{text:<width$} # {comment}\n"),
        };
        self.0.iter().map(line).collect::<String>() + "]\n"
    }
}
