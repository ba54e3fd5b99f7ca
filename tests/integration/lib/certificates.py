# SPDX-License-Identifier: MIT
"""A certificate authority of the tests' own, made with the openssl command."""
import os
import subprocess


def _openssl(*arguments):
    subprocess.run(('openssl',) + arguments, check=True, capture_output=True)


class Authority:
    def __init__(self, folder, name):
        self.folder = folder
        self.name = name
        self.certificate = os.path.join(folder, name + '.pem')
        self.key = os.path.join(folder, name + '.key')
        _openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
                 '-nodes', '-days', '2', '-subj', '/CN=' + name, '-keyout', self.key,
                 '-out', self.certificate, '-addext', 'keyUsage=critical,keyCertSign,cRLSign')

    def issue(self, name, alternatives, expired=False):
        """(certificate, key, ca) for a server; alternatives as openssl has them,
        DNS:localhost,IP:127.0.0.1"""
        base = os.path.join(self.folder, name)
        _openssl('req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
                 '-nodes', '-subj', '/CN=' + name, '-keyout', base + '.key', '-out', base + '.csr')
        with open(base + '.ext', 'w') as f:
            f.write('subjectAltName=%s\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n'
                    % alternatives)
        sign = ('x509', '-req', '-in', base + '.csr', '-CA', self.certificate,
                '-CAkey', self.key, '-CAcreateserial', '-extfile', base + '.ext',
                '-out', base + '.pem')
        if not expired:
            _openssl(*sign, '-days', '2')
        else:
            try:
                _openssl(*sign, '-days', '-1')
            except subprocess.CalledProcessError:   # newer ones want to be asked in another way
                _openssl(*sign, '-not_before', '20200101000000Z', '-not_after', '20200201000000Z')
        return base + '.pem', base + '.key', self.certificate

    def issue_for_later(self, name, alternatives):
        """One that is not yet valid, as for a clock that says 1970.
        Only the command "ca" of all versions can."""
        certificate, key, ca = self.issue(name, alternatives)
        base = os.path.join(self.folder, name)
        for suffix, text in (('.index', ''), ('.conf', (
                '[ca]\ndefault_ca=a\n[a]\ndatabase=%s.index\nnew_certs_dir=%s\nrand_serial=yes\n'
                'default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n'
                % (base, self.folder)))):
            with open(base + suffix, 'w') as f:
                f.write(text)
        _openssl('ca', '-batch', '-notext', '-config', base + '.conf',
                 '-cert', self.certificate, '-keyfile', self.key, '-in', base + '.csr',
                 '-extfile', base + '.ext', '-out', certificate,
                 '-startdate', '20400101000000Z', '-enddate', '20410101000000Z')
        return certificate, key, ca
