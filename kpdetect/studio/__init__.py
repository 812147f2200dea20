"""The studio: a local web page for editing generated images, naming and reviewing keypoints, and comparing results.

server     listens on 127.0.0.1 and opens the page in the browser
app        maps the addresses of requests to functions
guard      refuses requests that do not come from the studio's own page
request    a request with a body of limited size, and errors as one sentence
workplace  the models and folders that the studio was opened on; no path outside them is read or written
uploads    image files that a user drops on the page, checked before they are decoded
documents  versions of files that two browser tabs may change at once
edit_state, edit_code, edit_room
            the Edit page: edits of generated images, shown as a picture, as a command and as Python
name_room   the Name page: names of a model's keypoints
review_room, frames, current_labels
            the Review page: predictions on images and videos, and their corrections
project_room
            the Project page: the progress of a project
study, study_order, study_results, answers, tally, study_page, compare_room
            the Compare page: user studies, as in appendix D of the LatentKeypointGAN paper
latency     measures in a browser the time from a drag to its picture
static/     HTML, CSS and JavaScript modules of the pages
"""
