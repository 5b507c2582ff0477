"""Is a figure legible: texts neither overlap nor stick out."""

import itertools


def texts(figure):
    """What is written, and where."""
    figure.canvas.draw()
    boxes = [t.get_window_extent() for t in figure.texts if t.get_text()]
    for ax in figure.axes:
        labels = []
        for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=False)
            labels += [text for at, text in ticks if low <= at <= high]
            labels.append(axis.label)
        labels += [ax.title, ax._left_title, *ax.texts]
        boxes += [
            t.get_window_extent() for t in labels if t.get_text() and t.get_visible()
        ]
        if ax.get_legend():
            boxes.append(ax.get_legend().get_window_extent())
    return boxes


def legible(figure):
    boxes = [box.padded(-1) for box in texts(figure)]
    for one, other in itertools.combinations(boxes, 2):
        assert not one.overlaps(other)
    for box in boxes:
        assert figure.bbox.padded(2).contains(*box.min)
        assert figure.bbox.padded(2).contains(*box.max)


def outlines(figure):
    """Contours of the pairs, 2 sigma first, and their axes."""
    found = [ax for ax in figure.axes if len(ax.collections) > 1]
    return [(ax, ax.collections[1].get_paths()) for ax in found]
