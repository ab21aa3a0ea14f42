"""Registries: images behind the OCI distribution protocol.

Nothing but this package opens a socket, and nothing else imports urllib3, which is loaded by the
first client and not before. From the bottom up::

    reference, headers, secret, traffic      values; they know nobody
    mask                                     what registries say, without what is secret
    auth_files, credential_helpers, auth     who we are
    options, proxies, tls, transport         how bytes travel
    pace, tokens, refusals, host             one registry: when to wait, what to try again
    downloads, uploads, lists, manifests     what is asked of it
    client                                   all of it, for a store

A quirk of one make of registries is met in the module whose requests it concerns::

    manifests        a manifest is refused, as somebody puts the same one, or its parts came just
                     now; no digest, or that of another algorithm, is told
    sink             a tag that was just read is not found
    lists            lists without an end, links to the next page in any spelling
    uploads          mounts that are refused, or not carried out
    upload_session   pieces get lost, or have to be of a certain size
    downloads        no parts are served, bodies break off
    referrers        there is no API for referrers
    source           a proxy labels documents wrongly
    tokens, headers  challenges and numbers in other spellings

The tests' registry imitates them all: ``tests/registry/personality.py``. What a registry *refuses*
is data: :mod:`oci_convert.profiles`.
"""
