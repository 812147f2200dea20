"""Layers of the image generator: first feature maps, factorised style convolution, SPADE, AdaIN, up-sampling with a margin.

"The paper" is LatentKeypointGAN (He et al. 2021).
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from generator.keypoints import SLOPE, Parts
from kpdetect.heatmaps import gaussian_axes, grid_axis


def kaiming_conv(inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, padding: int | None = None) -> nn.Conv2d:
    """Build a convolution with Kaiming initialisation for leaky ReLU (paper appendix E)."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2 if padding is None else padding)
    nn.init.kaiming_normal_(conv.weight, a=SLOPE)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


def grow(features: Tensor, margin: int) -> Tensor:
    """Double the resolution bilinearly and crop the doubled margin back to `margin` pixels (paper appendix B)."""
    doubled = functional.interpolate(features, scale_factor=2, mode="bilinear", align_corners=False)
    return crop(doubled, margin)


def crop(features: Tensor, border: int) -> Tensor:
    """Remove `border` pixels on every side, by negative padding: its gradient stays channels-last, that of a slice does not."""
    return functional.pad(features, (-border,) * 4) if border else features


class PositionalStart(nn.Module):
    """First feature map M(p) = [sin(pi L(p - k_1 .. p - k_n)), cos(pi L(...))] with L linear (paper Eq. 8).

    L is linear, so L(p - k) = (sum_j W_j) p - sum_j W_j k_j + b: one small product per image and one per axis.

    Args:
        points: number of points that the encoding is relative to.
        width: number of channels, even.
        size: side of the map in pixels, without margin.
        margin: pixels added on every side.
    """

    def __init__(self, points: int, width: int, size: int, margin: int) -> None:
        super().__init__()
        self.linear = nn.Linear(2 * points, width // 2)
        self.size, self.margin = size, margin

    def forward(self, points: Tensor) -> Tensor:
        """Encode normalised points [batch, points, 2] as features [batch, width, side, side], side = size + 2 margin."""
        axis = grid_axis(self.size, self.margin, like=points)
        with torch.autocast(points.device.type, enabled=False):
            offset = functional.linear(points.flatten(1), self.linear.weight, -self.linear.bias)
            along_x, along_y = self.linear.weight.view(-1, points.shape[1], 2).sum(dim=1).unbind(dim=1)
            plane = along_x[:, None, None] * axis + along_y[:, None, None] * axis[:, None]
            phase = math.pi * (plane - offset[:, :, None, None])
            return torch.cat([phase.sin(), phase.cos()], dim=1).contiguous(memory_format=torch.channels_last)


class LearnedStart(nn.Module):
    """First feature map that is the same for every image (paper 3.3, appendix E)."""

    def __init__(self, width: int, size: int, margin: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(1, width, size + 2 * margin, size + 2 * margin))

    def forward(self, points: Tensor) -> Tensor:
        """Repeat the map as [batch, width, side, side]; `points` [batch, points, 2] gives only the batch size."""
        return self.constant.expand(len(points), -1, -1, -1).contiguous(memory_format=torch.channels_last)


Behind = tuple[Tensor, Tensor]
"""The background part of a style map: heatmap H_bg [batch, height, width] and embedding w_bg [batch, embedding]."""


class StyleConv(nn.Module):
    """3x3 convolution over the keypoint style map S_j = H_j w_j (paper Eq. 2), without building that map.

    The map would have keypoints x embedding channels. The kernel is first contracted with the embeddings. This gives each image
    a kernel over the heatmaps alone. A Gaussian heatmap is a product of one factor per axis, so the convolution becomes two
    batched matrix products. The background part's heatmap is not such a product, so this channel is convolved directly. The
    result equals the convolution over the map exactly; borders are zero-padded in both.

    Args:
        keypoints: number of keypoint parts.
        embedding: channels per part.
        outputs: channels of the result.
        background: channels of the background part; 0 where there is none.
    """

    def __init__(self, keypoints: int, embedding: int, outputs: int, background: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, keypoints, embedding, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.kaiming_normal_(self.weight.view(outputs, keypoints * embedding, 3, 3))
        self.has_background = background > 0
        if background:
            self.weight_behind = nn.Parameter(torch.empty(outputs, background, 3, 3))
            nn.init.normal_(self.weight_behind, std=math.sqrt(2 / (9 * (keypoints * embedding + background))))

    def forward(
        self,
        along_y: Tensor,
        along_x: Tensor,
        embeddings: Tensor,
        behind: Behind | None = None,
        copies: tuple[int, ...] = (),
    ) -> Tensor:
        """Compute features [batch, out, height, width] from heatmap factors and embeddings.

        Args:
            along_y: heatmap factors [batch, parts, height].
            along_x: heatmap factors [batch, parts, width].
            embeddings: [batch, parts, embedding].
            behind: heatmap and embedding of the background part; None without one.
            copies: for each part after the keypoints, the number of the keypoint that it copies and whose kernel it uses.
        """
        batch, count, width = along_x.shape
        outputs, height = len(self.bias), along_y.shape[2]
        weight = self.weight[:, [*range(self.weight.shape[1]), *copies]] if copies else self.weight
        kernels = torch.einsum("ojcyx,bjc->bjoxy", weight, embeddings)
        windows_y = functional.pad(along_y, (1, 1)).unfold(2, height, 1)  # [batch, keypoints, 3, height]
        windows_x = functional.pad(along_x, (1, 1)).unfold(2, width, 1)
        rows = torch.matmul(kernels.reshape(batch, count, outputs * 3, 3), windows_y)  # [batch, keypoints, out 3, height]
        rows = rows.view(batch, count, outputs, 3, height).permute(0, 2, 4, 1, 3).reshape(batch, outputs * height, count * 3)
        bias = self.bias.repeat_interleave(height)[:, None]
        result = torch.baddbmm(bias, rows, windows_x.reshape(batch, count * 3, width)).view(batch, outputs, height, width)
        return result if behind is None else result + self._behind(*behind)

    def _behind(self, heatmap: Tensor, embedding: Tensor) -> Tensor:
        kernels = torch.einsum("ocyx,bc->boyx", self.weight_behind, embedding).flatten(2)  # [batch, out, 9]
        windows = functional.unfold(heatmap[:, None], 3, padding=1)  # [batch, 9, height width]
        return torch.bmm(kernels, windows).view(len(heatmap), -1, *heatmap.shape[1:])


class Spade(nn.Module):
    """Spatially adaptive normalisation from keypoints: (1 + gamma) * BatchNorm(x) + beta.

    This is Eq. 9 of the paper, with 1 + gamma as in SPADE's code; the paper prints gamma.
    """

    one: Tensor

    def __init__(self, width: int, keypoints: int, embedding: int, hidden: int, background: int = 0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(width, affine=False)
        self.style = StyleConv(keypoints, embedding, hidden, background)
        self.scale_shift = kaiming_conv(hidden, 2 * width)
        self.register_buffer("one", torch.cat([torch.ones(width), torch.zeros(width)]), persistent=False)
        with torch.no_grad():
            self.scale_shift.weight.mul_(0.5)

    def forward(
        self,
        features: Tensor,
        heat: tuple[Tensor, Tensor],
        embeddings: Tensor,
        behind: Behind | None = None,
        copies: tuple[int, ...] = (),
    ) -> Tensor:
        """Normalise features [batch, channels, height, width], then scale and shift them by the style."""
        style = functional.relu(self.style(*heat, embeddings, behind, copies))
        style = style.contiguous(memory_format=torch.channels_last)
        assert self.scale_shift.bias is not None
        bias = self.scale_shift.bias + self.one  # adds the 1 of 1 + gamma without a further operation
        scale, beta = functional.conv2d(style, self.scale_shift.weight, bias, padding=1).chunk(2, dim=1)
        return torch.addcmul(beta, self.norm(features), scale)


class InstanceNorm(torch.autograd.Function):
    """Instance normalisation whose gradient stays channels-last; on a CPU it was measured 3 times faster than group_norm."""

    @staticmethod
    def forward(context: Any, features: Tensor) -> Tensor:
        """Normalise [batch, width, height, width] over the last two axes; statistics in at least float32."""
        wide = torch.promote_types(features.dtype, torch.float32)
        mean = features.mean(dim=(2, 3), keepdim=True, dtype=wide)
        square = (features * features).mean(dim=(2, 3), keepdim=True, dtype=wide)
        scale = torch.rsqrt((square - mean * mean).clamp_min(0) + 1e-5)
        normed = torch.addcmul((-mean * scale).to(features.dtype), features, scale.to(features.dtype))
        context.save_for_backward(normed, scale)
        return normed

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:  # type: ignore[override]
        """Compute dx = scale * (g - mean(g) - normed * mean(g * normed))."""
        normed, scale = context.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        mean = gradient.mean(dim=(2, 3), keepdim=True, dtype=scale.dtype)
        along = (gradient * normed).mean(dim=(2, 3), keepdim=True, dtype=scale.dtype)
        kind = gradient.dtype
        centred = torch.addcmul((-mean * scale).to(kind), gradient, scale.to(kind))
        return torch.addcmul(centred, normed, (-along * scale).to(kind))


class AdaIn(nn.Module):
    """Adaptive instance normalisation from one embedding: (1 + gamma) * InstanceNorm(x) + beta."""

    def __init__(self, width: int, embedding: int) -> None:
        super().__init__()
        self.scale_shift = nn.Linear(embedding, 2 * width)

    def forward(self, features: Tensor, embedding: Tensor) -> Tensor:
        """Normalise features [batch, channels, height, width], then scale and shift them by embedding [batch, embedding]."""
        gamma, beta = self.scale_shift(embedding)[:, :, None, None].chunk(2, dim=1)
        return torch.addcmul(beta, InstanceNorm.apply(features), 1 + gamma)  # type: ignore[no-untyped-call]


class StyleMap:
    """The style of one batch: heatmaps, computed at each resolution, and embeddings.

    The heatmap of a removed part is 0 everywhere. A positional start is still relative to its position.

    Args:
        parts: the parts of the batch.
        tau: width of the heatmaps.
        margin: pixels around every map.
    """

    def __init__(self, parts: Parts, tau: float, margin: int) -> None:
        self.parts, self.tau, self.margin = parts, tau, margin
        self.known: dict[int, tuple[Tensor, Tensor]] = {}
        self.known_behind: dict[int, Tensor] = {}

    def at(self, side: int) -> tuple[Tensor, Tensor]:
        """Return the heatmap factors of both axes, for a map of `side` pixels plus margin."""
        if side not in self.known:
            self.known[side] = self.axes(side, self.margin)
        return self.known[side]

    def axes(self, side: int, margin: int) -> tuple[Tensor, Tensor]:
        """Return heatmap factors [batch, parts, side + 2 margin]."""
        along_y, along_x = gaussian_axes(self.parts.keypoints, (side, side), self.tau, margin)
        if self.parts.presence is not None:
            along_y = along_y * self.parts.presence[..., None]
        return along_y, along_x

    def behind(self, side: int) -> Behind:
        """Return the background part, H_bg = 1 - max_j H_j (paper 3.2), for a map of `side` pixels plus margin."""
        if side not in self.known_behind:
            self.known_behind[side] = 1 - nearest_heat(*self.at(side))
        return self.known_behind[side], self.parts.background


def nearest_heat(along_y: Tensor, along_x: Tensor) -> Tensor:
    """Compute max_j H_j [batch, height, width] from heatmap factors."""
    return (along_y[..., None] * along_x[..., None, :]).amax(dim=1)
