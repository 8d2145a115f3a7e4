"""The readers: every class imported here is one, and its `type` is its name in `params.yaml`. A new one is a line more."""

from pipeline.data.sources.amazon import AmazonSource as AmazonSource
from pipeline.data.sources.atomic import AtomicSource as AtomicSource
from pipeline.data.sources.book_crossing import BookCrossingSource as BookCrossingSource
from pipeline.data.sources.goodreads import GoodreadsSource as GoodreadsSource
from pipeline.data.sources.goodreads_ucsd import GoodreadsUcsdSource as GoodreadsUcsdSource
from pipeline.data.sources.hetrec_lastfm import HetrecLastfmSource as HetrecLastfmSource
from pipeline.data.sources.kgcn import KgcnSource as KgcnSource
from pipeline.data.sources.mind import MindSource as MindSource
from pipeline.data.sources.movielens import MovieLensSource as MovieLensSource
from pipeline.data.sources.recbole_wheel import RecboleWheelSource as RecboleWheelSource
from pipeline.data.sources.steam import SteamSource as SteamSource
from pipeline.data.sources.tables import TablesSource as TablesSource
