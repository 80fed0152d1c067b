# SPDX-License-Identifier: MIT
"""Those who change things while viewers look: by the admin API, by the command line, by git, and by SIGTERM and SIGKILL."""
import http.client
import itertools
import json
import threading
import time

from harness import behavior, cache_policy, distribution, resource, until

XML = ('<InvalidationBatch xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/"><Paths><Quantity>{count}</Quantity><Items>{items}</Items>'
       "</Paths><CallerReference>{id}</CallerReference></InvalidationBatch>")


class Operator(threading.Thread):
    """Does one thing after the other until the run is over."""

    numbers = itertools.count(1)

    def __init__(self, world, edge, name):
        super().__init__(name=name, daemon=True)
        self.world, self.edge = world, edge
        self.random = world.chance(name)

    def run(self):
        try:
            while not self.world.done.is_set():
                self.turn()
        except Exception as failure:
            self.world.problem(f"{self.name}: {failure!r}")
            raise

    def select(self):
        """What an Invalidation may select, as its `select`, and a function that says whether a page is selected."""
        some = self.random.sample(self.world.pages[:12], self.random.randrange(1, 4))
        paths = [page.path for page in some]
        folder = self.random.choice("abc")
        tag = self.random.choice(("red", "green", "blue"))
        one = some[0]
        extension = one.path.rpartition(".")[2]
        media_type = one.content_type.partition(";")[0]
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        return self.random.choice((
            ({"paths": paths}, lambda page: page.path in paths),
            ({"paths": paths}, lambda page: page.path in paths),
            ({"paths": [f"/{folder}/*"]}, lambda page: page.path.startswith(f"/{folder}/")),
            ({"paths": [f"/*/{one.name}.*"]}, lambda page: page is one),
            ({"paths": [f"/*.{extension}"]}, lambda page: page.path.endswith(f".{extension}")),
            ({"paths": ["/*"]}, lambda page: True),
            ({"tags": [tag.upper()]}, lambda page: tag in page.tags),
            ({"paths": [f"#{tag}", one.path]}, lambda page: tag in page.tags or page is one),
            ({"hosts": ["shop.test"]}, lambda page: True),
            ({"contentTypes": [media_type]}, lambda page: page.content_type.startswith(media_type)),
            ({"paths": [f"/{folder}/*"], "contentTypes": ["text/*"]},
             lambda page: page.path.startswith(f"/{folder}/") and page.content_type.startswith("text/")),
            ({"statusCodes": [404]}, lambda page: page.status == 404),
            ({"storedBefore": moment}, lambda page: True),
            ({"behavior": "/b/*"}, lambda page: page.path.startswith("/b/"))))

    def bump(self, why, pages):
        """New versions of some; the versions that an invalidation of `pages` makes the oldest ones."""
        for page in pages:
            if self.random.random() < 0.7:
                page.bump(why)
        return [(page, page.version) for page in pages]

    def in_force(self, why, versions):
        self.world.counts["purges"] += 1
        floors = [(page, page.add_floor(version, why)) for page, version in versions]
        self.world.turn()
        return floors

    def insist(self, call):
        """What `call` returns, again when a restart has come between. None when the run is over."""
        while not self.world.done.is_set():
            start = time.monotonic()
            try:
                return call()
            except (OSError, http.client.HTTPException, AssertionError) as failure:
                if not self.world.interrupted(start, time.monotonic()):
                    raise AssertionError(f"{failure!r}") from failure
                self.world.done.wait(0.02)


class Api(Operator):
    """The urgent path in its three forms, undo, and versions that nobody announces."""

    def __init__(self, world, edge, name):
        super().__init__(world, edge, name)
        self.retained = []  # [(id, [(page, floor)])]

    def turn(self):
        kind = self.random.random()
        if kind < 0.3:
            self.world.pick(self.random).bump("unannounced")
            self.world.turn()
        elif kind < 0.4 and self.retained:
            self.undo()
        else:
            self.purge()
        self.world.done.wait(self.random.random() * 0.1)

    def purge(self):
        select, takes = self.select()
        name = f"{self.name}-{next(self.numbers)}"
        mode = self.random.choice(("revalidate", "delete"))
        spec = {"mode": mode}
        retained = mode == "delete" and self.random.random() < 0.4
        if retained:
            spec["retainFor"] = "1h"
        form = self.random.random()
        if form < 0.2 and set(select) == {"paths"}:
            spec, retained = {"mode": "revalidate"}, False
            send = lambda: self.by_xml(name, select["paths"])
        elif form < 0.4 and set(select) <= {"paths", "tags"}:
            send = lambda: self.by_command(name, select, spec)
        else:
            send = lambda: self.by_json(resource("Invalidation", name, {"distribution": "shop", "select": select, **spec}))
        versions = self.bump(name, [page for page in self.world.pages if takes(page)])
        if self.insist(send):
            floors = self.in_force(f"{name} {select} {spec}", versions)
            if retained:
                self.retained.append((name, floors))

    def undo(self):
        undone, floors = self.retained.pop(self.random.randrange(len(self.retained)))
        name = f"{self.name}-undo-{next(self.numbers)}"
        for page, floor in floors:
            page.undo(floor, name)
        if self.insist(lambda: self.by_json(resource("Invalidation", name, {"distribution": "shop", "undoes": undone}))):
            self.world.counts["undone"] += 1

    def by_json(self, body):
        answer = self.edge.admin_get("/invalidations", "POST", json.dumps(body))
        assert answer.status in (200, 201), answer
        return True

    def by_xml(self, name, paths):
        body = XML.format(count=len(paths), items="".join(f"<Path>{path}</Path>" for path in paths), id=name)
        answer = self.edge.admin_get("/2020-05-31/distribution/shop/invalidation", "POST", body)
        assert answer.status in (200, 201), answer
        return True

    def by_command(self, name, select, spec):
        arguments = [f"--tag={tag}" for tag in select.get("tags", ())] + ["--id", name, "--mode", spec["mode"]]
        if "retainFor" in spec:
            arguments += ["--retain-for", spec["retainFor"]]
        self.edge.command("purge", "shop", *select.get("paths", ()), *arguments, check=0)
        return True


class Committer(Operator):
    """Commits: purges, policies, and both at once, in force when the commit is live."""

    def __init__(self, world, edge, name, repository, origin):
        super().__init__(world, edge, name)
        self.repository, self.origin = repository, origin

    def configure(self, chance=None):
        """Any of these is right for what the model asks for; what they change is when the origin is asked."""
        ttl = chance.choice(("1h", "2s", "0s")) if chance else "1h"
        spec = {"stale": {"ifError": "60s"}} if chance and chance.random() < 0.3 else {}
        compress = chance.random() < 0.7 if chance else True
        every = behavior(originRequestPolicy="viewer", allowedMethods=["ALL"], compress=compress)
        self.repository.put(
            "shop.yaml", distribution(self.origin.port, default=every, cacheBehaviors=[{**every, "pathPattern": "/b/*"}], **spec),
            cache_policy(default=ttl, enableAcceptEncodingGzip=True),
            resource("OriginRequestPolicy", "viewer", {"headers": {"behavior": "allViewer"}, "cookies": {"behavior": "none"},
                                                       "queryStrings": {"behavior": "none"}}))

    def turn(self):
        name = f"{self.name}-{next(self.numbers)}"
        kind = self.random.random()
        versions, select = [], {}
        if kind < 0.5:
            self.configure(self.random)
        if kind > 0.2:
            select, takes = self.select()
            versions = self.bump(name, [page for page in self.world.pages if takes(page)])
            mode = self.random.choice(("revalidate", "delete"))
            self.repository.put(f"invalidations/{name}.yaml", resource(
                "Invalidation", name, {"distribution": "shop", "select": select, "mode": mode}))
        commit = self.repository.commit(name)
        if self.insist(lambda: self.live(commit)):
            self.world.counts["commits"] += 1
            self.in_force(f"{name} {select}", versions)
        self.world.done.wait(self.random.random() * 0.3)

    def live(self, commit):
        with self.world.processes:
            self.edge.reconcile()
        return until(lambda: self.edge.status()["revisions"]["applied"] == commit, f"{commit} to be live")


class Restarter(Operator):
    """Ends the edge, one way or the other, and starts it again."""

    def turn(self):
        if self.world.done.wait(0.5 + self.random.random()):
            return
        interruption = [time.monotonic(), float("inf")]
        self.world.interruptions.append(interruption)
        with self.world.processes:
            if self.random.random() < 0.5:
                self.edge.kill()
            else:
                self.edge.stop()
            self.edge.start()
        interruption[1] = time.monotonic()
        self.world.counts["restarts"] += 1
