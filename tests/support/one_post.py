"""One post through the worker's own spans: processor, recogniser, engine client, search pool."""

from __future__ import annotations

from support.chat_server import serving
from support.naming_server import NamingServer
from support.searching import ScriptedProvider

from sake_model.deadline import Deadline
from sake_model.engine.client import EngineTarget, VllmEngine
from sake_model.grounding import BoxFrame, ResizeLimits
from sake_model.prompts import load_prompts
from sake_model.recogniser import Recogniser
from sake_model.search.cache import SearchCache
from sake_model.search.pool import Member, SearchPool
from schemas.headers import read_traceparent
from schemas.recognitions import ModelRef
from workers.fetch import FetchLimits, PictureSource, PostPictures
from workers.recognise.instruments import Instruments
from workers.recognise.messages import InMessage
from workers.recognise.processor import PostProcessor
from workers.recognise.state import WorkerState
from workers.topics import TopicNames

PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
POST = b'{"id": "p1", "text": "met Ada Lovelace"}'


async def one_post() -> list[tuple[str, str]]:
    """(topic, traceparent) of every record that the post leads to. Set the SDK up before calling it."""
    topics = TopicNames.of("sake")
    limits, resize = FetchLimits(), ResizeLimits()
    member = Member(ScriptedProvider(name="local"))
    message = InMessage(topics.posts, 0, 7, 0, b"p1", POST, (("traceparent", PARENT),))
    async with (
        serving(NamingServer()) as server,
        VllmEngine(EngineTarget(server.url)) as engine,
        SearchPool((member,), SearchCache(None)) as search,
    ):
        prompts = load_prompts("compact")
        ref = ModelRef(name="m", digest="sha256:" + "0" * 64, prompts_digest=prompts.digest)
        recogniser = Recogniser(engine, search, prompts, ref, BoxFrame.RESIZED)
        pictures = PostPictures(PictureSource(limits), resize, limits)
        processor = PostProcessor(recogniser, pictures, topics)
        with Instruments("group", WorkerState()).post(message, "w0"):
            outputs = await processor.process(message, Deadline.after(30))
        await pictures.close()
    return [(each.topic, read_traceparent(each.headers) or "") for each in outputs]
