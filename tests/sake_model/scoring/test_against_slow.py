"""The scorers against an independent slow implementation, on whatever posts hypothesis thinks of."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from support.slow_scorers import Counted, slow_official, slow_sake

from sake_model.scoring import GoldEntity, Part, Prediction, ScoredPost, Scores, official, sake_compatible

TYPES = ("PER", "LOC")
KNOWN = frozenset(TYPES)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[float, float, float, float]:
    """Small whole boxes, so that an overlap of exactly one half comes often."""
    x1, y1 = draw(st.integers(0, 2)), draw(st.integers(0, 2))
    return (float(x1), float(y1), float(x1 + draw(st.integers(1, 4))), float(y1 + draw(st.integers(1, 3))))


# Of the text "a b a": few, so that two entities of one place, which must share its predictions, come often.
SPANS = {(0, 1): "a", (2, 3): "b", (4, 5): "a"}


@st.composite
def posts(draw: st.DrawFn) -> ScoredPost:
    """Two phrases that stand in several places, and a longer one over two of them."""
    spans = st.sampled_from(list(SPANS))
    gold = draw(
        st.lists(
            st.builds(
                lambda span, kind, found: GoldEntity(span, SPANS[span], kind, tuple(found)),
                spans,
                st.sampled_from(TYPES),
                st.lists(boxes(), max_size=3),
            ),
            max_size=3,
        )
    )
    near = [box for entity in gold for box in entity.boxes]
    guessed = st.none() | boxes() | (st.sampled_from(near) if near else st.none())
    predictions = draw(
        st.lists(
            st.builds(
                lambda span, kind, box: Prediction(span, SPANS.get(span, "a"), kind, box),
                spans | st.none(),
                st.sampled_from([*TYPES, "ALIEN"]),
                guessed,
            ),
            max_size=3,
        )
    )
    return ScoredPost(tuple(gold), tuple(predictions))


def as_tuples(scores: Scores) -> Counted:
    return {
        task: (counts.right, counts.predicted, counts.gold)
        for task in ("gmner", "mner", "eeg")
        for counts in [getattr(scores, task)]
    }


@settings(max_examples=300, deadline=None)
@given(posts())
def test_the_official_scorer(post):
    assert as_tuples(official.score_post(post)) == slow_official(post)


@settings(max_examples=300, deadline=None)
@given(posts())
def test_the_sake_compatible_scorer(post):
    assert as_tuples(sake_compatible.score_post(post, KNOWN)) == slow_sake(post, KNOWN)


@given(st.lists(posts(), max_size=4))
def test_sums_over_posts(several):
    for score, slow in (
        (official.score(several), [slow_official(post) for post in several]),
        (sake_compatible.score(several, KNOWN), [slow_sake(post, KNOWN) for post in several]),
    ):
        for task, counts in as_tuples(score).items():
            assert counts == tuple(sum(each[task][i] for each in slow) for i in range(3))


@given(posts(), st.frozensets(st.sampled_from(["a", "b"])))
def test_parts_make_up_the_whole(post, names):
    for scorer in (official.score_post, lambda post, **how: sake_compatible.score_post(post, KNOWN, **how)):
        whole = scorer(post)
        by_name = [
            scorer(post, part=Part(names=lambda phrase, yes=yes: (phrase in names) == yes))
            for yes in (True, False)
        ]
        assert by_name[0] + by_name[1] == whole
        by_type = Scores.total(scorer(post, part=Part(type=kind)) for kind in (*TYPES, "ALIEN"))
        assert (by_type.gmner, by_type.mner) == (whole.gmner, whole.mner)
