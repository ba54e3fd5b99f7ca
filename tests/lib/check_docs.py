#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Are the documents what the sources are? Prints TAP lines without numbers and without a plan.

    check_docs.py [FOLDER]      of the sources

Run by check-docs.sh.
"""
import docs_markdown as markdown
import docs_programs as programs
import docs_protocol as protocol
from docs_common import check


def main():
    protocol.check_dumps()
    check('methods', protocol.method_problems)
    check('notifications', protocol.notification_problems)
    check('functions of the gateway', protocol.function_problems)
    check('error codes, ran, exit status', protocol.code_problems)
    check('options', protocol.option_problems)
    check('fields of answers and events', protocol.field_problems)
    check('fields of meta', protocol.meta_problems)
    check('kinds of events', protocol.event_problems)
    check('keywords and types of descriptions', protocol.keyword_problems)
    check('rights', protocol.right_problems)
    check('options and scripts of chapi-hub', programs.hub_problems)
    programs.check_programs()
    check('commands of chapi-ctl(1) and their options', programs.command_problems)
    check('settings in chapi-gw.conf(5)', programs.setting_problems)
    check('what is read in the environment', programs.environment_problems)
    check('exit statuses in chapi(7)', programs.status_problems)
    check('functions of libchapi-ipc(3)', programs.library_problems)
    check('pages of functions are what chapi-ipc.h says', programs.function_page_problems)
    check('pages that pages name', programs.reference_problems)
    check('sections of pages', programs.missing_section_problems)
    check('sections of pages that are named', programs.section_problems)
    check('files in doc/architecture.md', markdown.file_problems)
    check('paths, links and pages in the documents', markdown.link_problems)
    check('documents say whom they are for', markdown.audience_problems)


if __name__ == '__main__':
    main()
