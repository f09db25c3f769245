"""The page that tells the platform's own users whether what they came for works: journeys, never containers.

`model.StatusPage` is what it says, `page.render` makes its files, `files.write` puts them where a web server finds
them. `notices` is what people write on it by command. Nothing on it names a service, a host or an address of the
platform.
"""
