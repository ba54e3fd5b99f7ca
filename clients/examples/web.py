#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A Flask app that listens on this machine only, and is called from afar through chapi.

    flask --app web run --port 5000 &
    chapi-serve notes --http http://127.0.0.1:5000 &
    chapi-call notes method=POST path=/notes body:='{"text": "buy milk"}'
    chapi-call notes path=/notes
"""
from flask import Flask, jsonify, request

app = Flask(__name__)
notes = []


@app.get('/notes')
def show():
    words = request.args.get('with', '')
    return jsonify([note for note in notes if words in note['text']])


@app.post('/notes')
def add():
    text = (request.get_json(silent=True) or {}).get('text')
    if not isinstance(text, str):
        return jsonify(error='a note needs a text'), 400
    # Who called is for the gateway to say: callers cannot set this header.
    notes.append({'text': text, 'by': request.headers.get('Chapi-Caller', 'nobody')})
    return jsonify(notes[-1]), 201
