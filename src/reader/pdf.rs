//! stub
use super::render::{RenderError, RenderLimits, RenderedPage};
pub fn count_pages(_: &[u8], _: &RenderLimits) -> Result<u32, RenderError> {
    Err(RenderError::NoPages)
}
pub fn render_page(_: &[u8], _: u32, _: &RenderLimits) -> Result<RenderedPage, RenderError> {
    Err(RenderError::NoPages)
}
