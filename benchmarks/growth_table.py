def kept(found):
    return found


def render(found):
    pass


def table(found):
    return str(found)
