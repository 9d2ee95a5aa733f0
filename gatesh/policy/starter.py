"""What `gatesh rules new` writes: a file to change, with everything explained once."""

from __future__ import annotations

TEXT = r"""# yaml-language-server: $schema=https://gatesh.example/rules.schema.json
#
# Rules of your own.  Try them:   gatesh rules test
#                                 gatesh check 'deploy --to production' --explain
#
# The strictest rule that matches wins, whatever the order and the file, so a
# rule here can only make gatesh stricter.
pack: ours
about: What only our own tools do.

rules:
  - id: ours.deploy-production
    # RE2 (no look-around).  Matched against each command after quotes are gone,
    # wrappers such as sudo, env, xargs and bash -c are opened, and the
    # program's path is reduced to its name.  `.` matches newlines too.
    match: '^deploy\b.*--to[= ](?P<target>prod\S*)'
    # None of these may match.  This is what to use instead of a lookahead.
    except: ['\s--dry-run\b']
    # on: command   or pipeline, write, read, env, code, script, finding
    verdict: approve # allow | approve | deny
    # An approver reads this while somebody waits.
    reason: puts a new version in front of customers
    # What is affected: named groups of the match, cwd, host, user, env.NAME;
    # `|` tries the next, `=text` is a last resort.
    system: 'deploy:{target}'
    severity: high # low | medium | high | critical
    instead: run it with `--dry-run` and put the output in the request
    tags: [change-management, 'soc2:CC8.1']
    # Who and how fast; leave it out for one other person within 15 minutes.
    approve: {need: {any: 1}, within: 15m, run_within: 5m, assurance: key}
    # Only there; every key must hold.  Leave it out for everywhere.
    # when: {user: ['^ci$'], agent: [claude], cwd: ['^/srv/'], env: {STAGE: ['^prod']}}
    examples: # whole command lines; `gatesh rules test` runs them through the real parser
      match:
        - deploy --to production
        - sudo -u deployer deploy --verbose --to=prod-eu
      miss:
        - deploy --to staging
        - deploy --to production --dry-run
        - echo deploy --to production
"""
