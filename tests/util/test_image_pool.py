"""The history of fakes."""

import torch

from util.image_pool import ImagePool


def numbered(*numbers):
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1)


def test_a_pool_of_none_returns_what_it_is_given():
    fakes = numbered(1, 2).requires_grad_()
    assert ImagePool(0, 1).query(fakes) is fakes


def test_while_it_fills_a_pool_returns_the_new_ones_detached():
    pool = ImagePool(3, 1)
    fakes = numbered(1, 2, 3).requires_grad_()
    shown = pool.query(fakes)
    assert torch.equal(shown, fakes) and not shown.requires_grad
    assert torch.equal(torch.cat(pool.images), numbered(1, 2, 3))


def test_a_full_pool_returns_old_ones_half_of_the_time():
    pool = ImagePool(10, 1)
    pool.query(numbered(*range(10)))
    new = range(10, 2010)
    shown = [pool.query(numbered(number)).item() for number in new]
    old = sum(returned != number for returned, number in zip(shown, new, strict=True))
    assert 900 < old < 1100
    kept = [image.item() for image in pool.images]
    assert len(set(kept)) == 10
    # Nothing is lost and nothing is doubled: what went in was shown or is still kept.
    assert sorted([*shown, *kept]) == sorted([*range(10), *new])


def test_a_restored_pool_goes_on_alike():
    first, second = ImagePool(4, 1), ImagePool(4, 2)
    first.query(numbered(*range(9)))
    second.load_state_dict(first.state_dict())
    shown = [pool.query(numbered(*range(20, 60))) for pool in (first, second)]
    assert torch.equal(*shown)
