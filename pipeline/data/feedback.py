"""What the zeros of a data set are, that is what it says of items that a user is not known to like.

| feedback | zeros |
|---|---|
| rated | dislikes, which users gave as they gave their likes |
| liked | there are none, or they say nothing: likes alone were given |
| sampled | somebody drew them from what a user never rated: no dislikes, but what published figures rank likes against |
"""

from typing import Literal

Feedback = Literal["rated", "liked", "sampled"]
