"""Registries: images behind the OCI distribution protocol.

Nothing but this package opens a socket, and nothing else imports urllib3, which is loaded by the
first client and not before. From the bottom up::

    reference, headers, secret, traffic      values; they know nobody
    auth_files, credential_helpers, auth     who we are
    options, proxies, tls, transport         how bytes travel
    pace, tokens, refusals, host             one registry: when to wait, what to try again
    downloads, uploads, lists, manifests     what is asked of it
    client                                   all of it, for a store

What one make of registries does differently stands in the module whose requests it concerns:
lists without an end in ``lists``, pieces that get lost in ``upload_session``. What a registry
*refuses* is data: :mod:`oci_convert.profiles`.
"""
