"""A photograph taken again with less light: the same scene, a shorter exposure, the sensor's noise.

A camera's pixel value is an encoded electron count, so the order matters: decode to linear light, lower the
exposure, draw the noise where it arises (in electrons), encode again. Scaling the encoded values instead would
give neither the colours nor the noise of a dark photograph.

One simplification: every pixel's noise is drawn alone, as if the sensor saw three colours at each place; a real
one sees one colour, and the interpolation of the others spreads its noise over neighbours.
"""

import numpy as np
from PIL import Image, ImageFilter

# What `darken_at_random` draws from: how LOL's low-light images differ from normal-light ones of the same scenes.
UNEVENNESS = 0.1  # at most, of the logarithm of the light: places that are lit less, as at night
WARMTH = (0.06, 0.11)  # mean and standard deviation of the logarithm by which red gains and blue loses
CAST = (0.13, 0.0, 0.17)  # standard deviation of the logarithm of each colour, for itself
LIGHTS = 3  # random values per side, between which the light changes smoothly
CONTRASTS = (0.7, 1.2)  # exponents of linear light: a camera's curve is not quite sRGB's
VIVID = (0.0, 0.5)  # how far each colour has that curve for itself, which makes colours stronger
GREENS = (0.0, 0.5)  # exponent, beyond 1, of red and of blue by green where green is stronger: as measured in LOL
SHOULDERS = (0.8, 0.998)  # how far the camera compressed the highlights of normal light, of which low light has none
LAMP_ODDS = 0.35  # how often what the camera clipped is taken for a lamp or a sky
LAMPS = (1.0, 60.0)  # how many times as bright it then is as the curve says
CLIPPED = 220  # encoded values of all three colours from here to 255 are more and more taken for clipped
FULL_WELLS = (2.4e4, 3.8e4)  # electrons, of green
GAINS = (2.6, 1.0, 1.6)  # white balance amplifies red and blue, and with them their noise
READ_NOISE = 6.0  # electrons
SHARED = 0.25  # share of the noise's variance that all three colours have in common
CLEAN_ODDS = 0.2  # how often a camera has taken most of the noise away,
CLEAN = 10.0  # as if it had so many times the electrons

# What `draw_darkness` and `with_black_parts` draw from.
UNCHANGED_ODDS, BETWEEN_ODDS = 0.3, 0.2  # not darkened at all; darkened by less than low light is
BLACK_ODDS = 0.25  # how often parts of a photograph become black
BLACK_SHARE = (0.1, 0.98)  # of the pixels
BLACK_LEFT = (1e-4, 1e-2)  # of the light there
BLACK_PLACES = 3.0  # at most, of the logarithm of light: how much darker one place may be taken for than another
BLACK_EDGES = (0.05, 1.0)  # of the logarithm of light: how gradually light turns to black

# What `repainted` draws from.
PAINT_ODDS = 0.3  # how often surfaces of a photograph get another colour
PAINT = 0.6  # standard deviation of the logarithm by which each colour gains
PAINT_REACH = (0.3, 1.5)  # of the logarithm of light: how unlike each other surfaces may be that get it alike

# What `well_exposed` draws from.
BRIGHTER = 4.0  # at most, how many times as much light
GRAIN = 3.0  # at most, the deviation of the encoded values


def srgb_to_linear(encoded):
    """Decode sRGB (IEC 61966-2-1).

    Args:
        encoded: float array of any shape, encoded values in [0, 1].

    Returns:
        float array of the same shape, linear light in [0, 1]; 1 is the white of the encoding.
    """
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(linear):
    """Encode linear light as sRGB: the inverse of `srgb_to_linear`, with its shapes and ranges."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def expose(linear, exposure, rng, full_well_electrons=4000.0, read_noise_electrons=3.0):
    """Let a sensor collect light: the measured linear light, noisy, neither clipped nor rounded.

    With m = linear * exposure, the result has mean m and, for each value alone, the variance
    m / full_well_electrons (shot noise) + (read_noise_electrons / full_well_electrons) ** 2 (read noise).

    Args:
        linear: float array of any shape, linear light from 0; 1 is white.
        exposure: light let in, as a factor of the original photograph's; above 0, below 1 darkens. One number
            or an array that broadcasts to the image's shape.
        rng: `numpy.random.Generator` that the noise is drawn from.
        full_well_electrons: electrons that a value of 1 stands for, or an array of one number per channel. A higher
            ISO setting lowers it: each doubling halves the electrons that white stands for, and the noise becomes
            more visible.
        read_noise_electrons: standard deviation of the readout's Gaussian noise, in electrons.

    Returns:
        float64 array of the same shape; read noise takes it below 0 in places.
    """
    electrons = rng.poisson(linear * exposure * full_well_electrons)
    return (electrons + rng.normal(0.0, read_noise_electrons, electrons.shape)) / full_well_electrons


def darken(image, exposure, rng, full_well_electrons=4000.0, read_noise_electrons=3.0):
    """Turn a photograph into a low-light one.

    Args:
        image: uint8 array (H, W, 3), sRGB.
        exposure, rng, full_well_electrons, read_noise_electrons: as for `expose`; the same state of `rng`
            gives the same image.

    Returns:
        uint8 array (H, W, 3), sRGB.
    """
    return to_pixels(expose(srgb_to_linear(image / 255.0), exposure, rng, full_well_electrons, read_noise_electrons))


def to_pixels(linear):
    """The uint8 sRGB values of linear light, clipped to [0, 1]."""
    # In single precision a power takes a fifth of the time.
    return np.rint(linear_to_srgb(np.clip(linear, 0.0, 1.0, dtype=np.float32)) * np.float32(255)).astype(np.uint8)


BRIGHTNESS = (0.2126, 0.7152, 0.0722)  # of linear red, green and blue (Rec. 709)
_LIGHT = srgb_to_linear(np.arange(256) / 255.0)  # of each encoded value: looked up, not computed pixel by pixel


def shown_light(image):
    """The linear light of a uint8 sRGB image: float32 in [0, 1], of its shape."""
    return _LIGHT.astype(np.float32)[image]


def scene_light(image, contrast, shoulder, lamps=1.0, vivid=0.0, greens=0.0):
    """The light of the scene that a camera showed as this photograph: its tone curve undone.

    A camera compresses highlights into a shoulder, here 1 - exp(-light), so that lamps and windows are far brighter
    than the photograph says. In the same scene's low-light photograph they lie below the shoulder.

    Args:
        image: uint8 array (H, W, 3), sRGB.
        contrast: exponent of linear light.
        shoulder: how near white is to the limit of the curve, in (0, 1): towards 0, nothing was compressed.
        lamps: what white is multiplied by, from 1, and places near white less: of clipped values, no curve tells how
            bright they were.
        vivid: how far each colour has a curve of its own, in [0, 1]; 0: one curve of brightness, by which colours
            keep their proportions in linear light.
        greens: from 0, by how much the exponent of red's and blue's proportion to green exceeds 1 where green is the
            stronger one: greens become purer.

    Returns:
        float32 array (H, W, 3), from 0; white is above 1, dark places are as they were but for the contrast.
    """
    contrast, shoulder = np.float32(contrast), np.float32(shoulder)  # in single precision, as in `to_pixels`

    def undone(shown):
        return (-np.log1p(-shoulder * np.minimum(shown, 1)) / shoulder) ** contrast

    light = shown_light(image)
    # A product of matrices would go to BLAS, whose last digits differ from process to process.
    brightness = np.maximum((light * np.float32(BRIGHTNESS)).sum(axis=2, keepdims=True), np.float32(1e-6))
    common = light * (undone(brightness) / brightness)
    own = undone(_LIGHT).astype(np.float32)[image]
    clipped = np.maximum(np.arange(256) - float(CLIPPED), 0.0) / (255 - CLIPPED)
    lamp = (lamps ** (clipped**2)).astype(np.float32)[image.min(axis=2)][..., None]
    light += np.float32(1e-3)  # the proportion of next to nothing to next to nothing is 1
    purer = np.minimum(light / light[..., 1:2], 1) ** np.float32(greens)
    return (common + vivid * (own - common)) * purer * lamp


def draw_darkness(rng):
    """How far a photograph is darkened on the way to low light, from 0, unchanged, to 1, for `darken_at_random`.

    An enhancer that sees nothing but low light makes every image brighter, the well exposed ones, too.
    """
    kind = rng.random()
    if kind < UNCHANGED_ODDS:
        return 0.0
    return rng.random() if kind < UNCHANGED_ODDS + BETWEEN_ODDS else 1.0


def with_black_parts(image, rng):
    """A photograph, in some cases (BLACK_ODDS) with its darkest parts black, as if taken at night.

    What is black in normal light is black in low light, too. Without such images an enhancer lifts night skies to gray.

    Args:
        image: uint8 array (H, W, 3), sRGB.
        rng: `numpy.random.Generator`.

    Returns:
        uint8 array (H, W, 3), sRGB.
    """
    if rng.random() >= BLACK_ODDS:
        return image
    gray = np.asarray(Image.fromarray(image).convert("L").filter(ImageFilter.BoxBlur(2)))
    light = np.log(_LIGHT + 1e-4)[gray] + rng.uniform(0, BLACK_PLACES) * uneven_light(*gray.shape, rng)
    edge = np.exp(rng.uniform(*np.log(BLACK_EDGES)))
    above = (light - np.quantile(light, rng.uniform(*BLACK_SHARE))) / edge
    left = np.exp(rng.uniform(*np.log(BLACK_LEFT)))
    kept = left + (1.0 - left) / (1.0 + np.exp(-np.clip(above, -50.0, 50.0)))
    return to_pixels(shown_light(image) * kept[..., None].astype(np.float32))


def repainted(image, rng):
    """A photograph, in some cases (PAINT_ODDS) with surfaces that are alike painted in another colour.

    Most photographs are gray on average, so an enhancer takes what is not for a tint: walls of wood turn gray. Here any
    colour may fill a photograph.

    Args:
        image: uint8 array (H, W, 3), sRGB.
        rng: `numpy.random.Generator`.

    Returns:
        uint8 array (H, W, 3), sRGB.
    """
    if rng.random() >= PAINT_ODDS:
        return image
    smooth = np.asarray(Image.fromarray(image).filter(ImageFilter.BoxBlur(1)))
    light = np.log(_LIGHT + 1e-2).astype(np.float32)[smooth]
    height, width = light.shape[:2]
    unlike = light - light[rng.integers(height), rng.integers(width)]
    reach = np.exp(rng.uniform(*np.log(PAINT_REACH)))
    alike = np.exp(-(unlike**2).sum(axis=2, keepdims=True) / np.float32(2 * reach**2))
    paint = rng.normal(0, PAINT, 3).astype(np.float32)
    return to_pixels(shown_light(image) * np.exp(alike * (paint - paint.mean())))


def well_exposed(image, rng):
    """A photograph as an enhancer is to leave it: with grain, and in half of all cases with more light.

    Args:
        image: uint8 array (H, W, 3), sRGB.
        rng: `numpy.random.Generator`.

    Returns:
        uint8 array (H, W, 3), sRGB; what becomes brighter than white is white.
    """
    exposure = BRIGHTER ** max(0.0, rng.uniform(-1, 1))
    grain = np.float32(rng.uniform(0, GRAIN)) * rng.standard_normal(image.shape, np.float32)
    exposed = to_pixels(_LIGHT * exposure)  # of each encoded value
    return np.rint(np.clip(exposed[image] + grain, 0, 255)).astype(np.uint8)


def noisy(linear, full_wells, rng):
    """Linear light with a sensor's noise, a part of which (SHARED) is the same in all three colours.

    Args:
        linear: float array (H, W, 3), from 0.
        full_wells: electrons that a value of 1 stands for, of each colour.
        rng: `numpy.random.Generator`.

    Returns:
        float32 array (H, W, 3), below 0 in places.
    """
    full_wells = np.asarray(full_wells, np.float32)
    deviation = np.sqrt(linear / full_wells + (READ_NOISE / full_wells) ** 2)
    own, common = (rng.standard_normal((*linear.shape[:2], n), np.float32) for n in (linear.shape[2], 1))
    own *= np.float32(np.sqrt(1 - SHARED))
    own += np.float32(np.sqrt(SHARED)) * common
    return linear + deviation * own


def darken_at_random(image, level, rng, scene=None, darkness=1.0):
    """Turn a photograph into one of the low-light ones that it could have been, to train on (``--lambda_simulation``).

    Args:
        image: uint8 array (H, W, 3), sRGB.
        level: how dark it becomes: the mean of its values, in [0, 255]; no photograph becomes brighter than it was.
        rng: `numpy.random.Generator`; the same state gives the same image.
        scene: uint8 array (h, w, 3), the whole of which ``image`` is a part, in any size: its mean is what is to reach
            ``level``, so that dark parts stay darker than others. None: the image itself.
        darkness: how far on the way to there, in [0, 1]; 0 leaves the image as it is, without noise.

    Returns:
        uint8 array (H, W, 3), sRGB.
    """
    if darkness == 0:
        return image
    scene = image if scene is None else scene
    level = level**darkness * max(level, scene.mean()) ** (1 - darkness)
    full_well = np.exp(rng.uniform(*np.log(FULL_WELLS))) * (CLEAN if rng.random() < CLEAN_ODDS else 1.0)
    lamps = np.exp(rng.uniform(*np.log(LAMPS))) if rng.random() < LAMP_ODDS else 1.0
    contrast, shoulder = rng.uniform(*CONTRASTS) ** darkness, rng.uniform(*SHOULDERS) * darkness
    curve = contrast, shoulder, lamps**darkness, rng.uniform(*VIVID), darkness * rng.uniform(*GREENS)
    light = np.float32(rng.uniform(0, UNEVENNESS)) * uneven_light(*image.shape[:2], rng)
    cast = rng.normal(*WARMTH) * np.array((1, 0, -1)) + rng.normal(0, CAST)
    exposure = exposure_for(level, scene_light(scene, *curve))
    colours = (exposure * np.exp(darkness * cast)).astype(np.float32)
    exposure = np.minimum(np.exp(np.float32(darkness) * light)[..., None] * colours, 1.0)
    return to_pixels(noisy(scene_light(image, *curve) * exposure, full_well / np.array(GAINS), rng))


def exposure_for(level, linear):
    """The exposure, at most 1, with which linear light from 0 gives sRGB values of the mean ``level`` (of 255)."""
    low, high = np.log(1e-4), 0.0
    for _ in range(20):
        middle = (low + high) / 2
        if 255.0 * linear_to_srgb(np.minimum(linear * np.exp(middle), 1.0)).mean() < level:
            low = middle
        else:
            high = middle
    return np.exp(high)


def uneven_light(height, width, rng):
    """A smooth random function of place: float32 array (height, width), about as often below 0 as above."""
    values = Image.fromarray(rng.normal(size=(LIGHTS, LIGHTS)).astype(np.float32))
    return np.asarray(values.resize((width, height), Image.Resampling.BICUBIC))
