"""Photographs darkened by simulation: how dark, how noisy, how tinted they come out."""

import numpy as np
import pytest

from data.low_light_simulation import (
    BETWEEN_ODDS,
    BRIGHTER,
    CONTRASTS,
    GRAIN,
    PAINT,
    PAINT_ODDS,
    SHARED,
    SHOULDERS,
    UNCHANGED_ODDS,
    darken_at_random,
    draw_darkness,
    linear_to_srgb,
    noisy,
    repainted,
    scene_light,
    srgb_to_linear,
    well_exposed,
    with_black_parts,
)
from sample_images import photograph


def darkened(image, seed, level=25.0, scene=None):
    return darken_at_random(image, level, np.random.default_rng(seed), scene).astype(float)


def test_images_come_out_as_dark_as_asked_each_in_its_own_way():
    bright = np.asarray(photograph((64, 48)))
    for level in (8, 25, 60):
        found = [darkened(bright, seed, level) for seed in range(20)]
        assert {image.shape for image in found} == {bright.shape}
        means = [image.mean() for image in found]
        assert np.mean(means) == pytest.approx(level, rel=0.06) and len(set(means)) == len(means)
        assert max(means) < 1.3 * level and min(means) > level / 1.3
    assert np.array_equal(found[3], darkened(bright, 3, level))


def test_a_part_is_as_dark_as_it_is_in_the_whole():
    scene = np.full((32, 32, 3), 220, np.uint8)
    scene[:, :16] = 60
    shadow, light = scene[:, :16], scene[:, 16:]
    for seed in range(5):
        whole = darkened(scene, seed, 40.0)
        parts = [darkened(part, seed, 40.0, scene).mean() for part in (shadow, light)]
        assert parts == pytest.approx([whole[:, :16].mean(), whole[:, 16:].mean()], rel=0.15)
        assert parts[0] < 0.5 * parts[1]


def test_no_image_becomes_brighter(monkeypatch):
    dim = np.full((40, 40, 3), 30, np.uint8)
    found = [darkened(dim, seed, 200.0).mean() for seed in range(10)]
    lifted = 255.0 * linear_to_srgb(scene_light(dim, CONTRASTS[0], SHOULDERS[1])).max()
    assert max(found) < lifted + 1  # a tone curve may lift it, more light may not
    monkeypatch.setattr("data.low_light_simulation.CONTRASTS", (1.0, 1.0))
    assert np.mean([darkened(dim, seed, 200.0).mean() for seed in range(10)]) < 35


def test_noise_is_as_strong_as_each_channel_is_amplified():
    gray = np.full((64, 64, 3), 200, np.uint8)
    dark = [darkened(gray, seed) for seed in range(8)]
    # Neighbours get as good as the same light, so that what is between them is noise.
    red, green, blue = np.mean([np.diff(image, axis=1).std((0, 1)) for image in dark], axis=0)
    assert red > 1.1 * blue > 1.2 * green > 0


def test_noise_has_the_strength_of_its_light_and_a_part_that_colours_share():
    full_wells = np.array((1e4, 2e4, 4e4))
    for light in (0.0, 0.01, 0.2):
        noise = noisy(np.full((300, 300, 3), light), full_wells, np.random.default_rng(0)) - light
        expected = np.sqrt(light / full_wells + (6.0 / full_wells) ** 2)
        assert noise.std((0, 1)) == pytest.approx(expected, rel=0.02)
        assert np.abs(noise.mean((0, 1)) / expected).max() < 0.02
        correlations = np.corrcoef(noise.reshape(-1, 3).T)[np.triu_indices(3, 1)]
        assert correlations == pytest.approx(SHARED, abs=0.02)


def test_on_the_way_to_low_light_images_become_darker_bit_by_bit():
    bright = np.asarray(photograph((64, 48)))
    assert darken_at_random(bright, 10.0, np.random.default_rng(0), None, 0.0) is bright
    steps = (0.02, 0.25, 0.5, 0.75, 1.0)
    means = [
        np.mean([darken_at_random(bright, 10.0, np.random.default_rng(seed), None, step).mean() for seed in range(8)])
        for step in steps
    ]
    assert means == pytest.approx([10.0**step * bright.mean() ** (1 - step) for step in steps], rel=0.1)
    nearly = [darken_at_random(bright, 10.0, np.random.default_rng(seed), None, 0.02) for seed in range(8)]
    assert np.mean(np.abs(np.array(nearly, float) - bright)) < 6  # colours, curve and highlights are nearly its own


def test_some_images_stay_some_get_as_dark_as_low_light():
    rng = np.random.default_rng(0)
    found = np.array([draw_darkness(rng) for _ in range(4000)])
    assert found.min() == 0 and found.max() == 1
    assert (found == 0).mean() == pytest.approx(UNCHANGED_ODDS, abs=0.03)
    between = found[(found > 0) & (found < 1)]
    assert len(between) / len(found) == pytest.approx(BETWEEN_ODDS, abs=0.03)
    assert between.mean() == pytest.approx(0.5, abs=0.05)


def test_what_becomes_black_is_what_was_dark(monkeypatch):
    bright = np.asarray(photograph((96, 64)))
    found = [with_black_parts(bright, np.random.default_rng(seed)) for seed in range(60)]
    assert 0.5 < np.mean([image is bright for image in found]) < 0.95
    monkeypatch.setattr("data.low_light_simulation.BLACK_ODDS", 1)
    black = []
    for seed in range(40):
        image = with_black_parts(bright, np.random.default_rng(seed))
        assert image.shape == bright.shape and image.dtype == np.uint8 and (image <= bright + 1.0).all()
        dark = image.max(2) < 4
        black.append(dark.mean())
        if 0.1 < black[-1] < 0.9:
            assert bright[dark].mean() < bright[~dark].mean()
    assert np.mean(black) > 0.15 and max(black) > 0.8  # up to nights of which a lamp is all that is lit,
    assert max(black) < 0.99 and min(image.mean() for image in found) > 0  # but never all of a photograph


def test_what_becomes_black_keeps_a_trace_of_its_light(monkeypatch):
    monkeypatch.setattr("data.low_light_simulation.BLACK_ODDS", 1)
    monkeypatch.setattr("data.low_light_simulation.BLACK_EDGES", (0.01, 0.011))
    image = np.asarray(photograph((96, 64)))
    light = srgb_to_linear(image / 255.0)
    seen = light > 0.1
    for left in (1e-6, 0.01, 0.2):
        monkeypatch.setattr("data.low_light_simulation.BLACK_LEFT", (left, left))
        shares = srgb_to_linear(with_black_parts(image, np.random.default_rng(3)) / 255.0)[seen] / light[seen]
        assert np.quantile(shares, 0.05) == pytest.approx(left, rel=0.1, abs=1e-3)


def test_some_photographs_are_painted_in_any_colour():
    gray = np.full((8, 8, 3), 120, np.uint8)
    found = [repainted(gray, np.random.default_rng(seed)) for seed in range(600)]
    assert np.mean([image is gray for image in found]) == pytest.approx(1 - PAINT_ODDS, abs=0.1)
    painted = np.array([image[0, 0] for image in found if image is not gray])
    ratios = np.log(srgb_to_linear(painted / 255.0) / srgb_to_linear(120 / 255))
    assert ratios.sum(axis=1) == pytest.approx(0, abs=0.05)  # neither lighter nor darker
    assert ratios.std(axis=0) == pytest.approx(PAINT * (2 / 3) ** 0.5, rel=0.25)
    assert len(set(ratios.argmax(axis=1))) == 3


def test_paint_covers_what_is_alike(monkeypatch):
    monkeypatch.setattr("data.low_light_simulation.PAINT_ODDS", 1)
    halves = np.full((256, 8, 3), 60, np.uint8)
    halves[128:] = 200
    for reach, alike in ((0.3, False), (30.0, True)):
        monkeypatch.setattr("data.low_light_simulation.PAINT_REACH", (reach, reach))
        for seed in range(20):
            image = repainted(halves, np.random.default_rng(seed))
            painted = [np.ptp(half[64, 0]) > 1 for half in np.split(image, 2)]
            assert sum(painted) == (2 if alike else 1)


def test_well_exposed_photographs_have_grain_and_some_have_more_light():
    gray = np.full((64, 64, 3), 100, np.uint8)
    found = [well_exposed(gray, np.random.default_rng(seed)).astype(float) for seed in range(60)]
    means = np.array([image.mean() for image in found])
    brightest = 255 * linear_to_srgb(BRIGHTER * srgb_to_linear(100 / 255))
    assert 0.35 < (abs(means - 100) < 0.3).mean() < 0.65 and means.min() > 99.5
    assert 0.9 * brightest < means.max() < brightest + 1
    deviations = [image.std() for image in found]
    assert min(deviations) < 0.3 and 2.5 < max(deviations) < GRAIN + 0.1
    strongest = found[np.argmax(deviations)] - means[np.argmax(deviations)]
    assert np.ptp(strongest.mean((0, 1))) < 0.2  # without a tint, and without a direction
    assert abs(np.corrcoef(strongest[:, 1:].ravel(), strongest[:, :-1].ravel())[0, 1]) < 0.03


def test_well_exposed_photographs_are_clipped():
    ends = np.array([[[0] * 3, [255] * 3]] * 64, np.uint8)
    for seed in range(10):
        black, white = well_exposed(ends, np.random.default_rng(seed)).transpose(1, 0, 2)
        assert black.max() < 5 * GRAIN and white.min() > 255 - 5 * GRAIN


def test_low_light_is_tinted_mostly_between_warm_and_cool():
    gray = np.full((16, 16, 3), 200, np.uint8)
    red, green, blue = np.transpose([darkened(gray, seed).mean((0, 1)) for seed in range(100)])
    for colour in (red, blue):
        assert 0.7 < min(colour / green) < 0.9 and 1.1 < max(colour / green) < 1.4
    assert -0.7 < np.corrcoef(red / green, blue / green)[0, 1] < -0.2  # but each in its own way, too
    assert (red > blue).mean() > 0.6


def test_highlights_are_brighter_than_the_photograph_shows():
    levels = np.array([[[0] * 3, [12] * 3, [128] * 3, [230] * 3, [255] * 3]], np.uint8)
    light, shown = (x[0, :, 0].astype(float) for x in (scene_light(levels, 1.0, 0.9), srgb_to_linear(levels / 255.0)))
    assert light[:2] == pytest.approx(shown[:2], rel=0.01)
    assert (np.diff(light[1:] / shown[1:]) > 0).all() and light[-1] == pytest.approx(-np.log(0.1) / 0.9)
    assert (1 - np.exp(-0.9 * light)) / 0.9 == pytest.approx(shown)  # what the curve makes of it
    assert scene_light(levels, 1.3, 0.9)[0, :, 0] == pytest.approx(light**1.3)
    lamp = np.full((40, 40, 3), 128, np.uint8)
    lamp[:20] = 255
    for seed in range(10):
        dark = srgb_to_linear(darkened(lamp, seed, 40.0) / 255.0)
        assert dark[:18].mean() > 5 * dark[22:].mean()  # without a shoulder from 3.2, with it from 5.1


def test_colours_keep_their_proportions_under_a_common_curve():
    colours = np.array([[[200, 40, 90], [30, 120, 110], [0, 0, 250], [0, 0, 0]]], np.uint8)
    shown = srgb_to_linear(colours / 255.0)
    common, own = (scene_light(colours, 1.3, 0.95, vivid=vivid) for vivid in (0.0, 1.0))
    times = common[0, :3].max(axis=1, keepdims=True) / shown[0, :3].max(axis=1, keepdims=True)
    assert common[0, :3] == pytest.approx(shown[0, :3] * times, rel=1e-4) and not common[0, 3].any()
    for color in range(3):
        alone = np.repeat(colours[..., color : color + 1], 3, axis=2)
        assert own[0, :, color] == pytest.approx(scene_light(alone, 1.3, 0.95)[0, :, 0], rel=1e-4, abs=1e-7)
    assert scene_light(colours, 1.3, 0.95, vivid=0.25) == pytest.approx(0.75 * common + 0.25 * own, rel=1e-4, abs=1e-7)


def test_only_greens_become_purer():
    colours = np.array([[[40, 160, 90], [90, 91, 250], [160, 90, 40], [120, 120, 120], [0, 0, 0]]], np.uint8)
    plain, purer = (scene_light(colours, 1.0, 0.9, greens=greens)[0] for greens in (0.0, 0.5))
    assert purer[:, 1] == pytest.approx(plain[:, 1]) and purer[2:4, 0] == pytest.approx(plain[2:4, 0])
    # Red of the green one, red of the blue one, blue of the red one: their proportion to green to the power of 1.5.
    for place, colour in ((0, 0), (1, 0), (2, 2)):
        ratio = plain[place, colour] / plain[place, 1]
        assert purer[place, colour] / purer[place, 1] == pytest.approx(ratio**1.5, rel=0.03)
    assert purer[1, 2] == pytest.approx(plain[1, 2]) and not purer[4].any()


def test_what_was_clipped_may_have_been_a_lamp(monkeypatch):
    levels = np.array([[[0] * 3, [128] * 3, [220] * 3, [255, 255, 200], [240] * 3, [255] * 3]], np.uint8)
    times = (scene_light(levels, 1.0, 0.9, lamps=40.0) / scene_light(levels.clip(1), 1.0, 0.9))[0, :, 1]
    assert times[1:4] == pytest.approx(1) and 1.5 < times[4] < 10 and times[5] == pytest.approx(40)
    room = np.full((40, 40, 3), 128, np.uint8)
    room[:8, :8] = 255
    monkeypatch.setattr("data.low_light_simulation.WARMTH", (0.0, 0.0))
    monkeypatch.setattr("data.low_light_simulation.CAST", (0.0, 0.0, 0.0))  # a tint would change the mean
    found = [darkened(room, seed, 25.0) for seed in range(40)]
    assert all(image.mean() == pytest.approx(25, rel=0.1) for image in found)  # the lamp counts, too
    ratios = [image[:7, :7].mean() / image[12:, 12:].mean() for image in found]
    assert 0.1 < np.mean([ratio > 8 for ratio in ratios]) < 0.6 and max(ratios) > 15


def test_some_places_get_less_light_than_others():
    gray = np.full((60, 60, 3), 200, np.uint8)
    uneven = []
    for seed in range(20):
        green = darkened(gray, seed)[..., 1]
        parts = green.reshape(3, 20, 3, 20).mean((1, 3))  # of neighbours, without noise
        uneven.append(parts.max() / parts.min())
        assert np.abs(np.diff(green.reshape(6, 10, 6, 10).mean((1, 3)), axis=0)).max() < green.max() / 2  # smooth
    assert min(uneven) < 1.05 and max(uneven) > 1.12
