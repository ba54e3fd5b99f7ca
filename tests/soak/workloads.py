# SPDX-License-Identifier: MIT
"""What the soak's remote callers ask, and what may come of it.

Others are added to WORKLOADS. Who asks, and again, is callers.py; records in parts are large.py.
"""
import random

from large import cut, shrink, text_of, words


class Workload:
    """What is asked. fits(outcome) is true for a response that may be the end of the request."""

    name = 'echo'
    has_outcome = True

    def params(self, number):
        return {'n': number}

    def events(self, record, again, rand):
        """[(event, data)] of one try. again: what a repeat says, {} of the first."""
        return [('request', dict(record, **again))]

    def fits(self, number, response):
        return response['error'] is None and response['result'] == shrink(self.params(number))


class Slow(Workload):
    """The provider answers later, in another order."""

    name = 'slow'


class Failing(Workload):
    """The function says no: that is an outcome as well, and is kept."""

    name = 'fail'

    def fits(self, number, response):
        error = response['error']
        return error and (error['code'], error['ran']) == ('api_error', 'yes') and \
            error['message'] == str(number)


class Large(Workload):
    """From one event's size to 1 MiB of text, which may be compressible, in parts that come in
    any order.
    """

    name = 'echo'

    def params(self, number):
        return {'n': number, 'text': words(random.Random(number))}

    def parts(self, record, rand):
        return cut(record['id'], text_of(record))

    def events(self, record, again, rand):
        """The record itself stays as it was; what a repeat says is beside it."""
        parts = self.parts(record, rand)
        rand.shuffle(parts)
        return [('request-part', dict(p, **again)) for p in parts]


def is_refused(response, code):
    error = response['error']
    return error is not None and (error['code'], error['ran']) == (code, 'no')


class WrongHash(Large):
    def parts(self, record, rand):
        return cut(record['id'], text_of(record), hashed=b'something else')

    def fits(self, number, response):
        return is_refused(response, 'invalid_argument')


class Bomb(Large):
    """Some 8 KiB that would be 8 MiB."""

    def parts(self, record, rand):
        return cut(record['id'], text_of(dict(record, params={'text': ' ' * (8 << 20)})))

    def fits(self, number, response):
        return is_refused(response, 'too_large')


class TwoSenders(Large):
    """Two records under one id: neither sender knows whom an answer is for, so none is waited
    for.
    """

    has_outcome = False

    def parts(self, record, rand):
        return cut(record['id'], text_of(record)) + cut(record['id'], text_of(dict(record, params={
            'n': record['id'], 'text': words(rand)})))


WORKLOADS = 12 * (Workload(), Slow(), Failing()) + 3 * (Large(),) + \
    (WrongHash(), Bomb(), TwoSenders())
